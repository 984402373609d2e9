"""The command ``uteroseg``, also ``python -m uteroseg``.

A module of its own, and light: the processes that a command begins run it once more.
"""


def main() -> None:
    """Run the command line."""
    from uteroseg.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
