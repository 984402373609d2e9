import numpy as np

from uteroseg.experiment.evaluate import evaluate_run
from uteroseg.imaging.nifti import read_mask
from uteroseg.model.engine import OnnxEngine
from uteroseg.model.prediction import predict_study


def test_the_masks_are_those_that_predict_finds(tiny_cohorts, tiny_model, tmp_path):
    (tmp_path / "model").symlink_to(tiny_model)
    cases = tiny_cohorts.cases("cervical", "test")
    rows = evaluate_run(tiny_cohorts, cases, tmp_path, predictions="masks")
    engine = OnnxEngine(tiny_model)
    assert [row["case"] for row in rows] == [str(case) for case in cases]
    assert max(row["dsc"] for row in rows) > 0
    for case in cases:
        found = read_mask(tmp_path / "masks" / f"{case}.nii.gz").data
        expected = predict_study(tiny_cohorts.load_study(case), engine).mask.data
        assert np.mean(found != expected) < 0.001  # prepared cases are kept in half precision
