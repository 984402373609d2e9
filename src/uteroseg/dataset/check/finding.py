"""What a check finds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from uteroseg.errors import UserError

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Finding:
    """One problem of one case, participant or dataset.

    Parameters
    ----------
    check : str
        Which check found it, such as ``mask-grid``; docs/check.md lists them.
    severity : {"error", "warning"}
        An error makes results wrong or stops a command; a warning is for a person to look at.
    where : str
        The case, participant or file.
    found, fix : str
        What is wrong, and what to do.
    """

    check: str
    severity: Severity
    where: str
    found: str
    fix: str


def error(check: str, where: object, found: str, fix: str) -> Finding:
    """Something that makes results wrong or stops a command."""
    return Finding(check, "error", str(where), found, fix)


def warning(check: str, where: object, found: str, fix: str) -> Finding:
    """Something for a person to look at."""
    return Finding(check, "warning", str(where), found, fix)


def refused(check: str, where: object, problem: UserError) -> Finding:
    """A file that cannot be used, as reading it says."""
    return Finding(check, "error", str(where), problem.found, problem.fix)


def refuse_errors(findings: Iterable[Finding]) -> None:
    """Raise the first error among findings as a UserError: what is to enter must pass what is in."""
    for finding in findings:
        if finding.severity == "error":
            raise UserError(
                f"{finding.where}: {finding.found}.",
                expected=f"what a check of the dataset would pass ({finding.check}).",
                fix=f"{finding.fix}.",
            )
