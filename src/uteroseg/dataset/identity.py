"""Recognise a patient and a study again without keeping who they are."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import date, datetime, timedelta
from pathlib import Path

from uteroseg.errors import UserError
from uteroseg.files import write_text

_SHIFT_DAYS = (45_000, 15_000)
"""Dates go back by at least 123 years, to before 1925: BIDS's sign of a shifted date."""


def key_file(root: Path) -> Path:
    """``<dataset>.key`` beside the dataset."""
    return root.resolve().with_name(f"{root.resolve().name}.key")


class Pseudonyms:
    """Keyed hashes of identifiers; the key lies beside the dataset, never in it.

    Parameters
    ----------
    key : bytes
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    @classmethod
    def for_dataset(cls, root: Path, *, is_new: bool, write: bool = True) -> Pseudonyms:
        """Read ``<dataset>.key`` beside the dataset; for a new dataset, make one.

        Parameters
        ----------
        root : Path
        is_new : bool
            Whether nobody is in it yet who is recognised by a key.
        write : bool
            Write a key that was made; a run that only looks has one for itself.

        Raises
        ------
        UserError
            If the dataset holds studies and its key is gone, or the key is broken.
        """
        path = key_file(root)
        if not path.exists():
            if not is_new:
                raise UserError(
                    f"{path} is missing, so studies that are in the dataset already cannot be recognised.",
                    expected="the key that was made with the dataset.",
                    fix="put it back beside the dataset, or ingest everything into a new dataset.",
                )
            key = secrets.token_bytes(32)
            if write:
                write_text(path, key.hex() + "\n", private=True)
            return cls(key)
        try:
            return cls(bytes.fromhex(path.read_text("utf-8").strip()))
        except ValueError:
            raise UserError(
                f"{path} is not a key.",
                expected="64 hexadecimal digits.",
                fix="put back the key that was made with the dataset.",
            ) from None

    def of(self, identifier: str) -> str:
        """HMAC-SHA256 of an identifier, 32 hexadecimal digits."""
        named = identifier.encode("utf-8", "surrogateescape")  # paths can hold bytes that are no text
        return hmac.new(self._key, named, hashlib.sha256).hexdigest()[:32]

    def shifted(self, written: str, patient: str) -> date | None:
        """A DICOM date (``YYYYMMDD``), shifted by days that are the patient's own; None where it is no date.

        All dates of one patient shift alike, so the time between them stays.
        """
        least, spread = _SHIFT_DAYS
        try:
            day = datetime.strptime(written, "%Y%m%d").date()
            return day - timedelta(days=least + int(self.of(f"shift {patient}"), 16) % spread)
        except (ValueError, OverflowError):
            return None
