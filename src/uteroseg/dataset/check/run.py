"""Check a dataset, a process for each core."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from uteroseg.dataset.check.case import CaseToCheck, CheckedCase, check_case
from uteroseg.dataset.check.cohort import check_duplicates, check_tables, open_to_check
from uteroseg.dataset.check.finding import Finding, Severity
from uteroseg.files import require_new
from uteroseg.work import Failure, Item, in_order


@dataclass(frozen=True)
class Report:
    """What was found of a dataset.

    Parameters
    ----------
    root : Path
    findings : tuple of Finding
        Errors first.
    cases : tuple of CheckedCase
        Without their pictures.
    sheets : tuple of Path
    annotated : int
        Cases with a mask.
    """

    root: Path
    findings: tuple[Finding, ...]
    cases: tuple[CheckedCase, ...]
    sheets: tuple[Path, ...] = ()
    annotated: int = 0

    def of(self, severity: Severity) -> list[Finding]:
        """The errors or the warnings."""
        return [finding for finding in self.findings if finding.severity == severity]

    def describe(self) -> dict[str, Any]:
        """The report as JSON has it."""
        return {
            "dataset": str(self.root),
            "cases": len(self.cases),
            "annotated": self.annotated,
            "errors": len(self.of("error")),
            "warnings": len(self.of("warning")),
            "findings": [vars(finding) for finding in self.findings],
            "measures": {str(one.case): dict(one.measures) for one in self.cases},
            "sheets": [str(path) for path in self.sheets],
        }


def check_dataset(
    root: Path,
    *,
    pictures: Path | None = None,
    workers: int | None = None,
    on_case: Callable[[int, int], None] = lambda done, total: None,
) -> Report:
    """Look for everything that is wrong with a dataset; nothing in it is changed.

    Parameters
    ----------
    root : Path
    pictures : Path, optional
        New or empty folder that gets contact sheets.
    workers : int, optional
        Processes, by default one for each core.
    on_case : callable
        Told how many cases are done, and how many there are.

    Raises
    ------
    UserError
        If the folder is no dataset, or that of the pictures holds something.
    """
    dataset, findings = open_to_check(root)
    if pictures:
        require_new(pictures)
    cases = dataset.cases()
    findings += check_tables(dataset, cases)
    jobs = [
        CaseToCheck(root, case, _tumour(dataset.participant(case).histology), pictures is not None)
        for case in cases
    ]
    items = [Item(str(job.case), partial(check_case, job)) for job in jobs]
    checked: list[CheckedCase] = []

    def strips() -> Iterator[bytes]:
        for one in in_order(items, workers=workers):
            if isinstance(one, Failure):
                raise one.error
            checked.append(CheckedCase(one.case, one.findings, one.measures, one.key))
            on_case(len(checked), len(jobs))
            yield one.picture or b""

    sheets: list[Path] = []
    if pictures:
        from uteroseg.dataset.check.sheet import write_sheets

        sheets = write_sheets(strips(), pictures)
    else:
        for _ in strips():
            pass
    findings += [finding for one in checked for finding in one.findings]
    findings += check_duplicates(dataset, checked)
    findings.sort(key=lambda finding: (finding.severity, finding.check))
    annotated = sum(map(dataset.has_mask, cases))
    return Report(root, tuple(findings), tuple(checked), tuple(sheets), annotated)


def _tumour(histology: str) -> bool | None:
    """Whether a participant's histology says that there is a tumour."""
    return None if histology == "n/a" else histology != "none"
