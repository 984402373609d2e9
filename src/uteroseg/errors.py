"""Errors that a user can act on: what was found, what was expected, how to fix it."""

import re

_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


class UserError(Exception):
    """Input that cannot be used, told in a way that lets the user mend it.

    A parameter that it names stands in backticks, as `b_values`: the command line prints it as its option.
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
        self.found, self.expected, self.fix = printable(found), printable(expected), printable(fix)
        super().__init__(self.found)

    def __str__(self) -> str:
        return f"{self.found} Expected: {self.expected} Fix: {self.fix}"

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (self.found, self.expected, self.fix))


def reason(error: Exception) -> str:
    """What a person is told of an error, expected or not."""
    if isinstance(error, UserError | OSError):
        return str(error)
    return f"Unexpected {type(error).__name__}: {error}"


def printable(text: str) -> str:
    r"""Text that any terminal and any UTF-8 file takes: bytes of names that are not UTF-8 as ``\xe9``.

    Python keeps such bytes of paths as lone surrogates, which cannot be written. Control characters, with
    which a name could overwrite what a terminal shows, are told in the same way.
    """
    return _UNPRINTABLE.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    if 0xDC80 <= code <= 0xDCFF:  # a byte, as PEP 383 keeps it
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _rebuild(found: str, expected: str, fix: str) -> UserError:
    """Rebuild an error that crossed a process boundary (keyword arguments do not pickle by themselves)."""
    return UserError(found, expected=expected, fix=fix)
