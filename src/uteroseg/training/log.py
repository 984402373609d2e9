"""What a training writes while it runs: a table and TensorBoard's events."""

from __future__ import annotations

from pathlib import Path

from tensorboardX import SummaryWriter

from uteroseg.files import write_text

_HEADER = "step,loss,learning_rate,dsc"


class TrainingLog:
    """``log.csv`` and TensorBoard's event files in a folder, that go on where a training goes on.

    Parameters
    ----------
    folder : Path
    step : int
        Steps done before; what was written of later ones is taken back.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self._table = folder / "log.csv"
        rows = self._table.read_text("utf-8").splitlines()[1:] if step and self._table.is_file() else []
        kept = [row for row in rows if row.count(",") == 3 and int(row.split(",")[0]) <= step]
        write_text(self._table, "\n".join([_HEADER, *kept]) + "\n")
        self._folder = folder
        self._name_events()
        self._events = SummaryWriter(str(folder), purge_step=step + 1 if step else None)

    def write(self, step: int, loss: float, learning_rate: float, dsc: float | None) -> None:
        """Add a row."""
        with self._table.open("a", encoding="utf-8", newline="\n") as file:
            file.write(f"{step},{loss:.5g},{learning_rate:.5g},{'' if dsc is None else f'{dsc:.4f}'}\n")
        self._events.add_scalar("loss", loss, step)
        self._events.add_scalar("learning_rate", learning_rate, step)
        if dsc is not None:
            self._events.add_scalar("validation_dsc", dsc, step)

    def close(self) -> None:
        """Write out what is held back."""
        self._events.close()
        self._name_events()

    def _name_events(self) -> None:
        """Number the event files; their own names tell the name of this computer."""
        number = len(list(self._folder.glob("events.out.tfevents.????")))
        for path in sorted(self._folder.glob("events.out.tfevents.*.*")):
            path.rename(self._folder / f"events.out.tfevents.{number:04d}")
            number += 1
