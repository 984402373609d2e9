import pytest

from uteroseg.errors import UserError
from uteroseg.experiment.config import read_yaml

TEXT = """\
# a comment
source:
  cohort: cervical
sizes: [0,
  2%]
strategies:
  - all
  - name: mine
    trains: [stem]
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "e.yaml"
    path.write_text(TEXT)
    return read_yaml(path)


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (["source"], 2),
        (["source", "cohort"], 3),
        (["source", "missing"], 2),
        (["sizes", 1], 5),
        (["strategies", 1, "trains", 0], 9),
        (["strategies", 1, "a tag of pydantic's", "trains"], 8),
        (["nothing"], 2),
        ([], 2),
    ],
)
def test_every_value_has_its_line(file, keys, line):
    assert file.where(keys).endswith(f"e.yaml, line {line}")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("a: 1\nb: [1,\nc: 2", "line 3"),
        ("a: 1\nb:\n  c: 1\n  c: 2\n", "line 4: .*'c' stands there twice"),
        ("- 1\n", "line 1: .*no settings"),
        ("", "line 1: .*no settings"),
        ("a: !!python/object:os.system {}\n", "line 1"),
    ],
)
def test_what_is_no_settings_is_refused_with_its_line(tmp_path, text, named):
    path = tmp_path / "e.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=named):
        read_yaml(path)
