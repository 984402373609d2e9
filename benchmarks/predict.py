"""How fast a study is predicted: cold and warm, from NIfTI and from DICOM, beside the machine's own floor.

    python benchmarks/predict.py > predict.json

``cold_s`` is the whole command in a process of its own, ``bare_s`` in turn with it a script (``_bare.py``)
that reads, runs the network, writes mask and SEG, and does nothing else. ``warm_s`` are later studies of one
process, ``network_s`` the network alone on the study's slices; medians of ``runs`` in a warm file cache.
``peak_mb`` is the most resident memory that the cold command's processes together held at one time in any
of ``runs``, looked at every 2 ms; what they share counts in each. ``nifti`` is NIfTI to every output that
NIfTI has (20 slices of 128 × 128); ``dicom_small`` DICOM to every output, SEG and SR among them (a PROSTATEx
study where the test data are at hand); ``dicom_large`` the same for a virtual study of 24 slices of
256 × 256. ``floor_s`` is what the convolutions of the network would take at the rate that one plain
convolution reaches on this machine with as many threads. The model is not trained: what it finds means
nothing, and takes as long as any.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from _common import COMMAND, default_data, machine, median_s, timed, training_record, versions

BARE = Path(__file__).with_name("_bare.py")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--model", type=Path, help="measure this one instead")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        model = chosen.model or _untrained(root / "model")
        small = chosen.data / "prostatex" / "0000"
        inputs = {
            "nifti": _nifti(root / "x_dwi.nii.gz", (20, 128, 128)),
            "dicom_small": small if small.is_dir() else _dicom(root / "small", (19, 128, 84)),
            "dicom_large": _dicom(root / "large", (24, 256, 256)),
        }
        result = {name: _measure(path, model, root, chosen.runs) for name, path in inputs.items()}
        result["floor"] = _floor(model, chosen.runs)
    result["dicom_small"]["study"] = "PROSTATEx 0000" if small.is_dir() else "virtual"
    about = {"machine": machine(), "versions": versions("uteroseg", "onnxruntime", "numpy", "highdicom")}
    print(json.dumps({**result, **about, "runs": chosen.runs}, indent=2))


def _untrained(folder: Path) -> Path:
    """The default network with a head that finds little, as a trained one does."""
    import torch

    from uteroseg.model.spec import ModelSpec
    from uteroseg.network.deeplab import build_network
    from uteroseg.network.save import save_model

    spec = ModelSpec()
    network = build_network(spec, seed=1, imagenet=True)
    with torch.no_grad():
        network.get_submodule("segmentation_head")[0].bias -= 2
    record = training_record("uterine", cases=0, steps=0, seed=1)
    save_model(network, spec, record, folder)
    return folder


def _study(shape: tuple[int, int, int]):
    """A body with a tumour and noise: what the files and the network cost does not depend on the anatomy."""
    import numpy as np

    from uteroseg.imaging.geometry import Geometry
    from uteroseg.imaging.study import DwiStudy

    slices, rows, columns = shape
    geometry = Geometry.from_dicom(
        shape,
        position=(-45, -130, 130),
        orientation=(0, 1, 0, 0, 0, -1),
        pixel_spacing=(260 / rows, 260 / columns),
        slice_step=(-4.5, 0, 0),
    )
    z, y, x = np.ogrid[-1 : 1 : slices * 1j, -1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    body, tumour = (z * 0 + y**2 + x**2 < 0.6), z**2 + 9 * y**2 + 9 * x**2 < 0.4
    s0, adc = np.where(body, 900, 10), np.where(tumour, 0.8, 1.6)
    rng = np.random.default_rng(1)
    signal = [np.abs(s0 * np.exp(-b * adc * 1e-3) + rng.normal(0, 8, shape)) for b in (0, 500, 1000)]
    return DwiStudy(np.rint(np.stack(signal) + 1).astype(np.float32), (0.0, 500.0, 1000.0), geometry)


def _nifti(path: Path, shape: tuple[int, int, int]) -> Path:
    from uteroseg.dataset.study_files import write_study

    write_study(path, _study(shape), scanner_adc=path.with_name("none.nii.gz"), sidecar={})
    return path


def _dicom(folder: Path, shape: tuple[int, int, int]) -> Path:
    from uteroseg.phantom.dicom_files import write_dicom

    write_dicom(_study(shape), folder, patient_id="benchmark", seed=1)
    return folder


def _measure(path: Path, model: Path, root: Path, runs: int) -> dict[str, object]:
    import numpy as np

    from uteroseg.inference.batch import predict_one
    from uteroseg.inference.inputs import find_inputs
    from uteroseg.model.ensemble import open_model
    from uteroseg.model.prediction_folder import Outputs
    from uteroseg.model.prepare import network_input

    def command(out: str) -> list[str]:
        return [sys.executable, "-c", COMMAND, "predict", str(path), "-m", str(model), "-o", out]

    def cold() -> None:
        with tempfile.TemporaryDirectory(dir=root) as out:
            subprocess.run(command(out), capture_output=True, check=True)

    def peak() -> int:
        with tempfile.TemporaryDirectory(dir=root) as out:
            return _peak_bytes(command(out))

    def bare() -> None:
        with tempfile.TemporaryDirectory(dir=root) as out:
            script = [sys.executable, BARE, path, model, out]
            subprocess.run([str(part) for part in script], capture_output=True, check=True)

    engine = open_model(model)

    def warm() -> None:
        with tempfile.TemporaryDirectory(dir=root) as out:
            for source in find_inputs(path):
                predicted = predict_one(source, engine, Path(out), Outputs())
                assert not predicted.error, predicted.error

    cold(), warm(), bare()
    study = find_inputs(path)[0].load()
    slices = network_input(study, engine.card.spec)
    colds, bares = zip(*[(timed(cold)[0], timed(bare)[0]) for _ in range(runs)], strict=True)
    return {
        "cold_s": round(statistics.median(colds), 3),
        "bare_s": round(statistics.median(bares), 3),
        "warm_s": round(median_s(warm, runs), 3),
        "peak_mb": round(max(peak() for _ in range(runs)) / 1e6, 1) if sys.platform == "linux" else None,
        "network_s": round(median_s(lambda: engine.probability(slices), runs), 3),
        "signal": list(np.shape(study.signal)),
    }


def _peak_bytes(command: list[str]) -> int:
    """The most resident memory that a command and its child processes held when looked at."""
    most = 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        threads = Path(f"/proc/{process.pid}/task")
        while process.poll() is None:
            with suppress(OSError):  # one ended meanwhile
                children = [child for one in threads.glob("*/children") for child in one.read_text().split()]
                most = max(most, sum(map(_resident_bytes, [process.pid, *children])))
            time.sleep(0.002)
    assert process.returncode == 0, f"{command} ended with {process.returncode}"
    return most


def _resident_bytes(pid: int | str) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _floor(model: Path, runs: int) -> dict[str, object]:
    """The time that the network's convolutions of 20 slices would take at the rate of a plain convolution."""
    import numpy as np
    import onnx
    import onnxruntime

    network = onnx.load(model / "model.onnx")
    spec = json.loads((model / "model.json").read_text("utf-8"))["spec"]
    operations = 20 * _multiply_adds(network, (1, len(spec["channels"]), *spec["matrix"]))
    channels, size = 128, 48
    weights = np.random.default_rng(1).normal(size=(channels, channels, 3, 3)).astype(np.float32)
    plain = _plain_convolution(weights)
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(plain, options, providers=["CPUExecutionProvider"])
    image = np.ones((4, channels, size, size), np.float32)
    session.run(None, {"x": image})
    seconds = statistics.median(timed(lambda: session.run(None, {"x": image}))[0] for _ in range(3 * runs))
    rate = 4 * size**2 * channels**2 * 9 / seconds
    return {
        "convolution_gmac_per_s": round(rate / 1e9, 1),
        "network_gmac": round(operations / 1e9, 2),
        "floor_s": round(operations / rate, 3),
        "slices": 20,
    }


def _multiply_adds(network, shape: tuple[int, ...]) -> int:
    """Of every convolution for one slice. Sizes are seen by running it: padding is computed in the graph."""
    import numpy as np
    import onnx
    import onnxruntime

    convolutions = [node for node in network.graph.node if node.op_type == "Conv"]
    names = [node.output[0] for node in convolutions]
    network.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        network.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    outputs = session.run(names, {session.get_inputs()[0].name: np.zeros(shape, np.float32)})
    weights = {one.name: list(one.dims) for one in network.graph.initializer}
    return sum(
        output.size * int(np.prod(weights[node.input[1]][1:]))
        for node, output in zip(convolutions, outputs, strict=True)
    )


def _plain_convolution(weights) -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    value = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [4, *weights.shape[:1], 48, 48])
        for name in "xy"
    ]
    node = helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])
    graph = helper.make_graph([node], "plain", value[:1], value[1:], [numpy_helper.from_array(weights, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return model.SerializeToString()


if __name__ == "__main__":
    main()
