"""docs/check.md lists every check, and no other."""

import re
from pathlib import Path

import uteroseg.dataset.check

DOCS = Path(__file__).parents[3] / "docs" / "check.md"


def test_every_check_is_documented():
    sources = Path(uteroseg.dataset.check.__file__).parent.glob("*.py")
    text = "".join(path.read_text("utf-8") for path in sources)
    made = set(re.findall(r'\b(?:error|warning|refused)\(\s*"([a-z0-9-]+)"', text))
    rows = [line for line in DOCS.read_text("utf-8").splitlines() if line.startswith("| `")]
    listed = {name for row in rows for name in re.findall(r"`([a-z0-9-]+)`", row.split("|")[1])}
    assert made == listed
