"""The command ``uteroseg``, also ``python -m uteroseg``."""

import atexit
import os
import sys


def main() -> None:
    """Run the command line, and end without taking apart what it imported: 0.3 s of a prediction."""
    from uteroseg.cli.main import main as run

    status = 1

    def leave() -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)

    atexit.register(leave)  # the first to be registered is the last to be called
    try:
        run()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        raise


if __name__ == "__main__":
    main()
