"""Errors that a user can act on: what was found, what was expected, how to fix it."""


class UserError(Exception):
    """Input that cannot be used, told in a way that lets the user mend it.

    The command line prints it without a traceback and exits with code 2. Programming errors stay
    ordinary exceptions.

    Parameters
    ----------
    found : str
        What is wrong, naming the file, series or value.
    expected : str
        What would have been right.
    fix : str
        What the user can do.
    """

    def __init__(self, found: str, *, expected: str, fix: str) -> None:
        super().__init__(found)
        self.found = found
        self.expected = expected
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.found} Expected: {self.expected} Fix: {self.fix}"

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (self.found, self.expected, self.fix))


def _rebuild(found: str, expected: str, fix: str) -> UserError:
    """Rebuild an error that crossed a process boundary (keyword arguments do not pickle by themselves)."""
    return UserError(found, expected=expected, fix=fix)
