"""The script that one would write for this one study: no checks, resampling, measures, flags or picture.

    python benchmarks/_bare.py STUDY MODEL OUT

STUDY is a NIfTI file with its .bval, or a folder with DICOM files of one diffusion series in ``dwi``; OUT
gets ``mask.nii.gz``, from DICOM also ``seg.dcm``. `predict.py` times it beside ours in a process of its own.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import onnxruntime


def main() -> None:
    source, model, out = map(Path, sys.argv[1:])
    if source.is_file():
        image = nib.load(source)
        signal = np.asarray(image.dataobj, np.float32).T  # b, slices, rows, columns
        b_values = [float(b) for b in Path(str(source).replace(".nii.gz", ".bval")).read_text().split()]
        mask = find(signal, b_values, model)
        nib.save(nib.Nifti1Image(mask.T, image.affine), out / "mask.nii.gz")
        return
    images, b_values = read(source / "dwi")
    signal = np.array([[image.pixel_array for image in row] for row in images], np.float32)
    mask = find(signal, b_values, model)
    nib.save(nib.Nifti1Image(mask.T, np.eye(4)), out / "mask.nii.gz")
    write_seg(mask, images[0], out / "seg.dcm")


def find(signal, b_values: list[float], model: Path):
    """Voxels of the tumour: a centre crop of the study's own grid through the network."""
    rows, columns = json.loads((model / "model.json").read_text())["spec"]["matrix"]
    low, high = signal[np.argmin(b_values)] + 1, signal[np.argmax(b_values)] + 1
    adc = np.log(low / high) / (max(b_values) - min(b_values)) * 1000
    channels = np.stack([(image - image.mean()) / image.std() for image in (low, high, adc)], axis=1)
    height, width = low.shape[1:]
    padded = np.pad(channels, [(0, 0), (0, 0), (0, max(0, rows - height)), (0, max(0, columns - width))])
    top, left = max(0, height - rows) // 2, max(0, width - columns) // 2
    session = onnxruntime.InferenceSession(model / "model.onnx", providers=["CPUExecutionProvider"])
    cropped = np.ascontiguousarray(padded[:, :, top : top + rows, left : left + columns], np.float32)
    (output,) = session.run(None, {session.get_inputs()[0].name: cropped})
    mask = np.zeros((len(low), max(height, rows), max(width, columns)), np.uint8)
    mask[:, top : top + rows, left : left + columns] = output.reshape(len(low), rows, columns) > 0.5
    return mask[:, :height, :width]


def read(folder: Path):
    """Images by b-value and position, and the b-values."""
    import pydicom

    by_b: dict[float, list] = {}
    for path in folder.iterdir():
        image = pydicom.dcmread(path)
        element = image.get((0x0018, 0x9087)) or image[0x0019, 0x100C]
        by_b.setdefault(float(element.value), []).append(image)
    b_values = sorted(by_b)
    normal = np.cross(*np.reshape(image.ImageOrientationPatient, (2, 3)))
    place = {id(i): np.dot(normal, i.ImagePositionPatient) for images in by_b.values() for i in images}
    return [sorted(by_b[b], key=lambda image: place[id(image)]) for b in b_values], b_values


def write_seg(mask, images, path: Path) -> None:
    import highdicom as hd
    from pydicom.sr.codedict import codes

    tumour = hd.seg.SegmentDescription(
        segment_number=1,
        segment_label="Tumour",
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=codes.SCT.Neoplasm,
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=hd.AlgorithmIdentificationSequence(
            "bare", codes.DCM.ArtificialIntelligence, version="1"
        ),
    )
    hd.seg.Segmentation(
        source_images=images,
        pixel_array=mask,
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[tumour],
        series_instance_uid=hd.UID(),
        series_number=1,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="none",
        manufacturer_model_name="none",
        software_versions="1",
        device_serial_number="none",
    ).save_as(path)


if __name__ == "__main__":
    main()
