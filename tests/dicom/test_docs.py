import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
DOCS = TESTS.parent / "docs"


@pytest.mark.parametrize("document", ["dicom.md", "interchange.md"])
def test_every_test_that_the_documentation_names_exists(document: str) -> None:
    defined = {
        name
        for path in TESTS.rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)\(", path.read_text("utf-8"), re.MULTILINE)
    }
    named = set(re.findall(r"\btest_\w+", (DOCS / document).read_text("utf-8")))
    files = {path.stem for path in TESTS.rglob("test_*.py")}
    assert named - files <= defined, sorted(named - files - defined)
    assert len(named) > 40
