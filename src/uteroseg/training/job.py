"""One training, from chosen cases to a model folder."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from torch import nn

from uteroseg import __version__
from uteroseg.dataset.layout import CaseId
from uteroseg.dataset.store import Dataset
from uteroseg.errors import UserError
from uteroseg.model.folder import read_card
from uteroseg.model.recipe import Recipe
from uteroseg.model.spec import ModelCard, ModelSpec, TrainingRecord
from uteroseg.model.strategy import Strategy
from uteroseg.model.study_statistics import summarise_studies
from uteroseg.network.layers import expand_groups
from uteroseg.network.save import save_model
from uteroseg.training.data import TrainingData, load_training_data
from uteroseg.training.fit import CHECKPOINT, Fitted, OnProgress, fit, make_fabric
from uteroseg.training.interpolate import best_interpolation
from uteroseg.training.validation import Validation

_SOFTWARE = ("torch", "segmentation-models-pytorch", "timm", "numpy")


@dataclass(frozen=True)
class Start:
    """What a training starts from.

    Parameters
    ----------
    seed : int
        Of the random weights that it all began with.
    imagenet : bool
        Whether the encoder began with ImageNet weights.
    steps : int
        Made since.
    source : ModelCard, optional
        The model whose weights are taken; by default those of the beginning.
    """

    seed: int
    imagenet: bool
    steps: int = 0
    source: ModelCard | None = None


@dataclass(frozen=True, eq=False)
class Share:
    """Cases of a dataset, and their share of every batch."""

    dataset: Dataset
    cases: Sequence[CaseId]
    share: float = 1.0


@dataclass(frozen=True, eq=False)
class Job:
    """A training that is ready to run.

    Parameters
    ----------
    network : Module
        With the weights to start from; trained in place.
    spec : ModelSpec
        A new model's plane becomes that of its cases.
    start : Start
    strategy : Strategy
    train_on : sequence of Share
        The target cases first.
    validate_on : Share
        Perhaps without cases.
    unannotated : Share, optional
        Target cases whose masks are not looked at.
    recipe : Recipe
    seed : int
    """

    network: nn.Module
    spec: ModelSpec
    start: Start
    strategy: Strategy
    train_on: Sequence[Share]
    validate_on: Share
    recipe: Recipe
    seed: int
    unannotated: Share | None = None

    def run(self, folder: Path, *, devices: int, on_progress: OnProgress) -> ModelCard:
        """Train and write the model folder; a training that was cut short goes on."""
        started = time.monotonic()
        fabric = make_fabric(devices)
        fabric.launch()
        groups = expand_groups(self.network, self.strategy.trains)
        if not groups:
            return save_model(self.network, self.spec, self._as_it_is(), folder)
        more = self.unannotated
        data = load_training_data(
            [(part.dataset, part.cases, part.share) for part in self.train_on],
            self.spec,
            on_case=lambda done, total: on_progress("cases prepared", done, total, ""),
            unannotated=(more.dataset, more.cases, more.share) if more else None,
        )
        spec = self._spec_for(data)
        validation = (
            Validation(self.validate_on.dataset, self.validate_on.cases, spec)
            if self.validate_on.cases
            else None
        )
        before = {name: tensor.clone() for name, tensor in self.network.state_dict().items()}
        workspace = folder.with_name(f"{folder.name}.training")
        fitted = fit(
            self.network,
            spec,
            data,
            self.recipe,
            groups=groups,
            seed=self.seed,
            folder=workspace,
            settings=self._settings(data),
            fabric=fabric,
            unannotated=self.strategy.unannotated,
            validate=validation.mean_dsc if validation else None,
            on_progress=on_progress,
        )
        share = self.strategy.interpolation
        if share is not None:
            share = best_interpolation(self.network, before, share, validation)
        if fabric.is_global_zero:
            record = self._record(data, fitted, share, validation, round(time.monotonic() - started, 1))
            (workspace / CHECKPOINT).unlink(missing_ok=True)
            save_model(self.network, spec, record, folder, log=workspace)
            shutil.rmtree(workspace)
        fabric.barrier()
        return read_card(folder)

    def _spec_for(self, data: TrainingData) -> ModelSpec:
        source = self.start.source
        if source is not None and data.plane != self.spec.plane:
            raise UserError(
                f"The cases are {data.plane} and the model {source.id} was trained on {self.spec.plane} "
                "slices.",
                expected="slices in the model's plane.",
                fix="adapt a model that was trained on this plane, or train a new one.",
            )
        return self.spec.model_copy(update={"plane": data.plane})

    def _settings(self, data: TrainingData) -> str:
        """A hash of all that decides what the training becomes."""
        source = self.start.source
        values = {
            "recipe": asdict(self.recipe),
            "strategy": self.strategy.model_dump(mode="json"),
            "spec": self.spec.model_dump(mode="json"),
            "seed": self.seed,
            "start": source.id if source else [self.start.seed, self.start.imagenet],
            "data": data.fingerprint,
            "validation": [str(case) for case in self.validate_on.cases],
        }
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()

    def _record(
        self,
        data: TrainingData,
        fitted: Fitted,
        interpolation: float | None,
        validation: Validation | None,
        seconds: float,
    ) -> TrainingRecord:
        source = self.start.source
        seen = dict(source.training.cases) if source else {}
        # Source cases that are trained on again were counted by the source model.
        for part in (*(self.train_on[:1] if source else self.train_on), self.validate_on):
            for case in part.cases:
                cohort = part.dataset.participant(case).cohort
                seen[cohort] = seen.get(cohort, 0) + 1
        participants = [part.dataset.participant(case) for part in self.train_on for case in part.cases]
        virtual = any(participant.source == "virtual" for participant in participants)
        return TrainingRecord(
            strategy=self.strategy.name,
            cases=seen,
            validation_cases=len(self.validate_on.cases),
            unannotated_cases=len(self.unannotated.cases) - len(data.left_out) if self.unannotated else 0,
            left_out=data.left_out,
            virtual=virtual or (source is not None and source.training.virtual),
            data_fingerprint=data.fingerprint,
            seed=self.seed,
            start_seed=self.start.seed,
            imagenet=self.start.imagenet,
            steps=fitted.steps,
            total_steps=self.start.steps + fitted.steps,
            batch_size=self.recipe.batch_size,
            learning_rate=self.recipe.learning_rate,
            seconds=seconds,
            final_loss=round(fitted.loss, 4),
            validation_dsc=None if fitted.dsc is None else round(fitted.dsc, 4),
            interpolation=interpolation,
            b_values=sorted({b for study in data.statistics for b in study.b_values}),
            slice_spacing_mm=sorted({round(study.slice_mm, 2) for study in data.statistics}),
            seen=summarise_studies(data.statistics),
            source_model=source.id if source else None,
            expected_dsc=validation.calibrate(self.network) if validation else None,
            software={"uteroseg": __version__, **{name: version(name) for name in _SOFTWARE}},
        )

    def _as_it_is(self) -> TrainingRecord:
        """The record of a source model that nothing is added to."""
        source = self.start.source
        assert source is not None  # a Strategy without layers that train starts from the source model
        return source.training.model_copy(update={"strategy": self.strategy.name, "source_model": source.id})
