"""The command ``uteroseg``, also ``python -m uteroseg``."""

from uteroseg.cli.startup import main

if __name__ == "__main__":
    main()
