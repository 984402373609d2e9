"""What a prediction imports, in processes of its own: imports take longer than the prediction itself."""

import json
import subprocess
import sys

from tests import tiny
from uteroseg.dataset.study_files import write_study

RUN = """
import json, sys
sys.argv = ["uteroseg", "predict", *sys.argv[1:]]
from uteroseg.cli.main import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print(json.dumps(sorted(sys.modules)))
"""


def test_nifti_is_predicted_without_torch_scipy_dicom_or_tables(tiny_model, tmp_path):
    study, _ = tiny.study(6)
    write_study(tmp_path / "x_dwi.nii.gz", study, scanner_adc=tmp_path / "none.nii.gz", sidecar={})
    arguments = [str(tmp_path / "x_dwi.nii.gz"), "-m", str(tiny_model), "-o", str(tmp_path / "out")]
    done = subprocess.run([sys.executable, "-c", RUN, *arguments], capture_output=True, text=True, check=True)
    modules = set(json.loads(done.stdout.splitlines()[-1]))
    assert {"onnxruntime", "nibabel"} <= modules
    heavy = {
        "torch",
        "scipy.ndimage",
        "scipy.spatial",
        "pydicom",
        "highdicom",
        "pandas",
        "matplotlib",
        "rich.progress",
    }
    assert not heavy & modules
    assert (tmp_path / "out" / "x" / "mask.nii.gz").is_file()
