"""What an experiment is made of, as its YAML file says it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from yaml.nodes import MappingNode, Node, SequenceNode

from uteroseg.errors import UserError
from uteroseg.files import write_text
from uteroseg.model.recipe import Recipe
from uteroseg.model.spec import ModelSpec
from uteroseg.model.strategy import Strategy, strategy_named
from uteroseg.phantom.acquisition import DEFAULT, Acquisition
from uteroseg.phantom.presets import acquisition_named


@dataclass(frozen=True, eq=False)
class YamlFile:
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


def read_yaml(path: Path) -> YamlFile:
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
    return YamlFile(str(path), values, node)


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


CONFIG_FILE = "experiment.yaml"
_SHIPPED = Path(__file__).with_name("configs")
SHIPPED = tuple(sorted(path.stem for path in _SHIPPED.glob("*.yaml")))
"""Experiments that come with uteroseg, by name."""
SOURCE = "source"
"""Strategy of the source model, which every experiment has."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Simulate(_Value):
    """Virtual patients of a cohort.

    Parameters
    ----------
    train, test : int
        Patients to train on and to test on.
    seed : int
    scanner : str
        One of `uteroseg.phantom.presets.PRESETS`; what follows is taken instead of its own.
    plane, matrix, spacing_mm, slices, slice_mm, b_values, snr
        As of `Acquisition`.
    """

    train: int = Field(ge=1)
    test: int = Field(ge=1)
    seed: int = Field(default=1, ge=0)
    scanner: str = DEFAULT.name
    plane: Literal["sagittal", "axial"] | None = None
    matrix: tuple[int, int] | None = None
    spacing_mm: float | None = None
    slices: int | None = None
    slice_mm: float | None = None
    b_values: tuple[float, ...] | None = None
    snr: float | None = None

    @property
    def acquisition(self) -> Acquisition:
        """How they are scanned."""
        own = self.model_dump(exclude_none=True, exclude={"train", "test", "seed", "scanner"})
        return replace(acquisition_named(self.scanner), **own)

    @model_validator(mode="after")
    def _possible(self) -> Simulate:
        try:
            _ = self.acquisition
        except UserError as error:
            raise ValueError(str(error)) from error
        return self


class CohortConfig(_Value):
    """A cohort: patients of a dataset, or virtual ones.

    Parameters
    ----------
    cohort : str
    dataset : Path, optional
        Its split says who is trained and who is tested on. Relative to the experiment's file.
    simulate : Simulate, optional
        Make the dataset first.
    """

    cohort: str
    dataset: Path | None = None
    simulate: Simulate | None = None

    @field_validator("dataset")
    @classmethod
    def _beside_file(cls, dataset: Path | None, info: ValidationInfo) -> Path | None:
        return info.context / dataset if dataset and info.context else dataset

    @model_validator(mode="after")
    def _either(self) -> CohortConfig:
        if (self.dataset is None) == (self.simulate is None):
            raise ValueError("a cohort has either a dataset or simulate")
        if self.simulate and self.cohort not in ("cervical", "uterine"):
            raise ValueError("virtual patients are cervical or uterine")
        return self


class Budget(_Value):
    """How long every run trains, however many cases it has.

    Parameters
    ----------
    source_steps : int
        Of the source model.
    adapt_steps : int
        Of an adaptation; a strategy that starts from the beginning makes both.
    batch_size : int
    source_learning_rate, adapt_learning_rate : float
    checks : int
        How often a training with validation cases measures them.
    """

    source_steps: int = Field(default=400, ge=1)
    adapt_steps: int = Field(default=120, ge=1)
    batch_size: int = Field(default=16, ge=2)
    source_learning_rate: float = Field(default=2e-3, gt=0)
    adapt_learning_rate: float = Field(default=1e-3, gt=0)
    checks: int = Field(default=10, ge=1)

    @property
    def source(self) -> Recipe:
        """The source model's recipe."""
        return Recipe(self.source_steps, self.batch_size, self.source_learning_rate, checks=self.checks)

    @property
    def adapt(self) -> Recipe:
        """An adaptation's recipe."""
        return Recipe(self.adapt_steps, self.batch_size, self.adapt_learning_rate, checks=self.checks)


def _size(value: object) -> object:
    """A number of patients, or a share of them in per cent."""
    if isinstance(value, str) and value.endswith("%"):
        try:
            if 0 <= float(value[:-1]) <= 100:
                return value
        except ValueError:
            pass
    elif isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise ValueError(f"{value!r} is neither a number of patients nor a share from 0% to 100%")


def _strategy(value: Any, info: ValidationInfo) -> Any:
    if not isinstance(value, str):
        return value
    try:
        beside = info.context / value if info.context and value.endswith((".yaml", ".yml")) else value
        return strategy_named(str(beside))
    except UserError as error:
        raise ValueError(f"{error.found} Expected: {error.expected}") from error


class ExperimentConfig(_Value):
    """An experiment: which models are trained on what, and for how long.

    Parameters
    ----------
    source, target : CohortConfig
        The cohort that models come from, and the one they are adapted to.
    sizes : tuple of int or str
        Numbers of target patients, or shares (``"5%"``) of those there are to train on. The source model,
        size 0, is always there.
    strategies : tuple of Strategy
        In a file: names, mappings, or YAML files.
    seeds : tuple of int
    encoder : str
    imagenet : bool
    spacing_mm, matrix
        As of `ModelSpec`.
    budget : Budget
    keep_models : bool
        Keep the models and predictions of finished runs.
    """

    source: CohortConfig
    target: CohortConfig
    sizes: tuple[Annotated[int | str, BeforeValidator(_size)], ...] = Field(min_length=1)
    strategies: tuple[Annotated[Strategy, BeforeValidator(_strategy)], ...] = Field(min_length=1)
    seeds: tuple[int, ...] = Field(default=(1,), min_length=1)
    encoder: str = "tf_efficientnet_lite0"
    imagenet: bool = True
    spacing_mm: float = Field(default=2.5, gt=0)
    matrix: tuple[Annotated[int, Field(ge=32)], Annotated[int, Field(ge=32)]] = (96, 96)
    budget: Budget = Budget()
    keep_models: bool = False

    _file: YamlFile | None = PrivateAttr(default=None)

    @field_validator("strategies")
    @classmethod
    def _named_apart(cls, strategies: tuple[Strategy, ...]) -> tuple[Strategy, ...]:
        names = [strategy.name for strategy in strategies]
        if SOURCE in names:
            raise ValueError("the source model is always there: leave 'source' out")
        if len(set(names)) < len(names):
            raise ValueError("two strategies have the same name")
        return strategies

    @field_validator("seeds")
    @classmethod
    def _seeds_apart(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) < len(seeds):
            raise ValueError("a seed stands there twice")
        return seeds

    @property
    def spec(self) -> ModelSpec:
        """What the networks see."""
        return ModelSpec(encoder=self.encoder, spacing_mm=self.spacing_mm, matrix=self.matrix)

    def where(self, *keys: str | int) -> str:
        """The line in which a setting stands, followed by a colon; empty where there is no file."""
        return f"{self._file.where(keys)}: " if self._file else ""


def load_config(name: str) -> ExperimentConfig:
    """Read an experiment's file, or one of `SHIPPED` by its name: then datasets lie in the current folder.

    Raises
    ------
    UserError
        If it cannot be read or a setting is unknown or impossible; its line is named.
    """
    path = _SHIPPED / f"{name}.yaml" if name in SHIPPED else Path(name)
    if not path.is_file():
        raise UserError(
            f"There is no experiment {name!r}.",
            expected=f"a YAML file, or one of those that come with uteroseg: {', '.join(SHIPPED)}.",
            fix="correct the name.",
        )
    file = read_yaml(path)
    beside = Path.cwd() if name in SHIPPED else path.resolve().parent
    try:
        config = ExperimentConfig.model_validate(file.values, context=beside)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        keys = problem["loc"]
        setting = ".".join(str(key) for key in keys) or "the file as a whole"
        message = _PLAIN.get(problem["type"], problem["msg"].removeprefix("Value error, "))
        raise UserError(
            f"{file.where(keys)}: {setting}: {message}{'' if message.endswith('.') else '.'}",
            expected=f"settings of an experiment: {', '.join(ExperimentConfig.model_fields)}.",
            fix="correct the file.",
        ) from error
    config._file = file
    return config


_PLAIN = {"extra_forbidden": "there is no such setting", "missing": "this setting is missing"}


def save_config(config: ExperimentConfig, path: Path) -> None:
    """Write the experiment as run: strategies in full, datasets relative to the file."""
    values = config.model_dump(mode="json", exclude_none=True)
    for name in ("source", "target"):
        if dataset := values[name].get("dataset"):
            try:
                values[name]["dataset"] = Path(os.path.relpath(dataset, path.parent)).as_posix()
            except ValueError:  # another drive
                values[name]["dataset"] = Path(dataset).resolve().as_posix()
    write_text(path, yaml.safe_dump(values, sort_keys=False, default_flow_style=None, allow_unicode=True))


def differences(old: ExperimentConfig, new: ExperimentConfig) -> list[str]:
    """What differs between two experiments, a line for each setting; where a dataset lies does not count."""
    before, after = (_flat(config.model_dump(mode="json")) for config in (old, new))
    return [
        f"{key} was {before.get(key)!r}, is {after.get(key)!r}"
        for key in dict.fromkeys([*before, *after])
        if before.get(key) != after.get(key) and not key.endswith(".dataset")
    ]


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if key == "strategies":
            flat |= {f"strategies.{one['name']}": {**one, "summary": ""} for one in value}
        elif isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
