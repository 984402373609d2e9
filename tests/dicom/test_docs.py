import re
from pathlib import Path


def test_every_test_that_the_documentation_names_exists() -> None:
    here = Path(__file__)
    defined = {
        name
        for path in here.parents[1].rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)\(", path.read_text(), re.MULTILINE)
    }
    named = set(re.findall(r"`(test_\w+)`", (here.parents[2] / "docs" / "dicom.md").read_text()))
    assert named <= defined, sorted(named - defined)
    assert len(named) > 40
