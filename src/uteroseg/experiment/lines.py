"""YAML that remembers in which line of its file each value stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, SequenceNode

from uteroseg.errors import UserError


@dataclass(frozen=True, eq=False)
class Source:
    """A YAML file's values, and where they stand.

    Parameters
    ----------
    name : str
        The file's.
    values : dict
    node : Node
    """

    name: str
    values: dict[str, Any]
    node: Node

    def where(self, keys: Sequence[str | int]) -> str:
        """The file and line of a value, or of the innermost part of the file that it belongs to."""
        node, mark = self.node, self.node.start_mark
        for key in keys:
            child = _child(node, key)
            if child is None:
                break
            mark, node = child
        return f"{self.name}, line {mark.line + 1}"


def read_yaml(path: Path) -> Source:
    """Read a YAML file that holds a mapping.

    Raises
    ------
    UserError
        If it cannot be read, is no mapping, or names a key twice; the line is named.
    """
    try:
        text = path.read_text("utf-8")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(str(path), str(error)) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}, line {mark.line + 1}" if mark else str(path)
        raise _unreadable(where, getattr(error, "problem", None) or str(error)) from error
    if not isinstance(values, dict) or node is None:
        raise _unreadable(f"{path}, line 1", "it holds no settings")
    _refuse_repeated(node, path)
    return Source(str(path), values, node)


def _child(node: Node, key: str | int) -> tuple[Any, Node] | None:
    """Where a value begins (a setting's name, an item), and the value."""
    if isinstance(node, MappingNode):
        for name, value in node.value:
            if name.value == str(key):
                return name.start_mark, value
    if isinstance(node, SequenceNode) and isinstance(key, int) and key < len(node.value):
        return node.value[key].start_mark, node.value[key]
    return None


def _refuse_repeated(node: Node, path: Path) -> None:
    if isinstance(node, MappingNode):
        seen = set()
        for name, value in node.value:
            if name.value in seen:
                where = f"{path}, line {name.start_mark.line + 1}"
                raise _unreadable(where, f"{name.value!r} stands there twice")
            seen.add(name.value)
            _refuse_repeated(value, path)
    elif isinstance(node, SequenceNode):
        for value in node.value:
            _refuse_repeated(value, path)


def _unreadable(where: str, problem: str) -> UserError:
    return UserError(
        f"{where}: the experiment cannot be read ({problem}).",
        expected="a YAML file with the settings of an experiment, such as those that come with uteroseg.",
        fix="correct the file.",
    )
