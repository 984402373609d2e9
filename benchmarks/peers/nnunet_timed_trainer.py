"""Train nnU-Net's stock trainer against a clock. Runs in nnU-Net's environment, not in ours.

The trainer is nnU-Net's own: its plan, network, loss, sampling, augmentation, optimiser, gradient clipping.
What differs: the clock decides when it ends, and its pseudo-Dice on patches after each epoch gives way to
whole validation cases every few minutes. Only drawing batches and training steps count as training minutes.

Learning rate: nnU-Net lets it fall over 1000 epochs of 250 steps, of which a CPU makes less than one in an
hour. `budget` lets the same polynomial fall over the minutes instead, as if the epochs had been made to fit;
`stock` leaves it as it is, which means constant here.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import torch
from nnunetv2.inference.export_prediction import convert_predicted_logits_to_segmentation_with_correct_shape
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.paths import nnUNet_preprocessed, nnUNet_raw
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

POLY_EXPONENT = 0.9
"""Of nnU-Net's PolyLRScheduler."""


class TimedTrainer(nnUNetTrainer):
    """nnU-Net's stock trainer, told when to stop and when to validate."""

    def train_for(self, minutes: float, *, every: float, schedule: str, report) -> None:
        """Train for so many minutes; ``report`` is told each point of the curve."""
        self.on_train_start()
        self.validation_cases = self.do_split()[1]
        seconds, busy, iterations, next_point = 0.0, 0.0, 0, every
        report({"minutes": 0.0, "iterations": 0, "dsc": self.validation_dsc()})
        while seconds < 60 * minutes:
            start, start_busy = perf_counter(), process_time()
            self.network.train()
            if schedule == "budget":
                for group in self.optimizer.param_groups:
                    group["lr"] = self.initial_lr * (1 - seconds / 60 / minutes) ** POLY_EXPONENT
            else:
                self.lr_scheduler.step(iterations // self.num_iterations_per_epoch)
            loss = float(self.train_step(next(self.dataloader_train))["loss"])
            seconds += perf_counter() - start
            busy += process_time() - start_busy
            iterations += 1
            if seconds >= 60 * min(next_point, minutes):
                next_point = (seconds // (60 * every) + 1) * every
                start = perf_counter()
                dsc = self.validation_dsc()
                report(
                    {
                        "minutes": round(seconds / 60, 2),
                        "iterations": iterations,
                        "dsc": dsc,
                        "cores_used": round(busy / seconds, 2),
                        "loss": round(loss, 4),
                        "learning_rate": self.optimizer.param_groups[0]["lr"],
                        "validation_s": round(perf_counter() - start, 1),
                    }
                )

        for loader in (self.dataloader_train, self.dataloader_val):
            loader._finish()  # as nnU-Net ends its augmentation workers
        self.save_checkpoint(str(Path(self.output_folder) / "checkpoint_final.pth"))

    def validation_dsc(self) -> float:
        """Mean DSC of the validation cases on their own grids, by nnU-Net's predictor without mirroring."""
        predictor = nnUNetPredictor(use_mirroring=False, device=self.device, allow_tqdm=False)
        predictor.manual_initialization(
            self.network, self.plans_manager, self.configuration_manager, None, self.dataset_json,
            self.__class__.__name__, None,
        )  # fmt: skip
        self.set_deep_supervision_enabled(False)
        self.network.eval()
        try:
            return float(np.mean([self._case_dsc(case, predictor) for case in self.validation_cases]))
        finally:
            self.set_deep_supervision_enabled(True)

    def _case_dsc(self, case: str, predictor: nnUNetPredictor) -> float:
        data, _, _, properties = self.dataset_class(self.preprocessed_dataset_folder, [case]).load_case(case)
        logits = predictor.predict_sliding_window_return_logits(torch.from_numpy(np.array(data[:])))
        found = convert_predicted_logits_to_segmentation_with_correct_shape(
            logits.float().cpu(), self.plans_manager, self.configuration_manager, self.label_manager,
            properties, num_threads_torch=torch.get_num_threads(),
        )  # fmt: skip
        label = Path(nnUNet_raw, self.plans_manager.dataset_name, "labelsTr", f"{case}.nii.gz")
        truth, _ = self.plans_manager.image_reader_writer_class().read_seg(str(label))
        return dice(np.asarray(found) == 1, truth[0] == 1)


TimedTrainer.__name__ = nnUNetTrainer.__name__  # nnU-Net's predictor looks it up by name


def dice(prediction: np.ndarray, truth: np.ndarray) -> float:
    """2 · both / (prediction + truth); 1 where both are empty: as uteroseg's `evaluation.metrics.dice`."""
    assert prediction.shape == truth.shape
    total = int(prediction.sum()) + int(truth.sum())
    return 2 * int((prediction & truth).sum()) / total if total else 1.0


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--dataset", required=True, help="its folder's name, such as Dataset501_Pelvis")
    options.add_argument("--minutes", type=float, required=True)
    options.add_argument("--every", type=float, required=True, help="training minutes between validations")
    options.add_argument("--schedule", choices=["budget", "stock"], required=True)
    options.add_argument("--seed", type=int, required=True)
    options.add_argument("--curve", type=Path, required=True, help="gets a JSON line for each point")
    asked = options.parse_args()
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    torch.manual_seed(asked.seed)
    np.random.seed(asked.seed)  # noqa: NPY002  (what nnU-Net draws from)

    folder = Path(nnUNet_preprocessed, asked.dataset)
    plans = json.loads((folder / "nnUNetPlans.json").read_text("utf-8")) | {"continue_training": False}
    about = json.loads((folder / "dataset.json").read_text("utf-8"))
    trainer = TimedTrainer(plans, "2d", 0, about, device=torch.device("cpu"))
    trainer.initialize()
    asked.curve.unlink(missing_ok=True)

    def report(point: dict[str, object]) -> None:
        line = json.dumps(point)
        print(line, flush=True)
        with asked.curve.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    plan = trainer.configuration_manager
    report(
        {
            "batch_size": plan.batch_size,
            "patch_size": [int(n) for n in plan.patch_size],
            "spacing_mm": [float(mm) for mm in plan.spacing],
            "parameters_millions": round(sum(p.numel() for p in trainer.network.parameters()) / 1e6, 1),
            "training_cases": len(trainer.do_split()[0]),
            "schedule": asked.schedule,
        }
    )
    trainer.train_for(asked.minutes, every=asked.every, schedule=asked.schedule, report=report)
    report({"finished": True})


if __name__ == "__main__":
    main()
