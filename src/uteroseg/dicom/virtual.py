"""What tells that nobody lay in the scanner: virtual patients say so in every file.

References
----------
DICOM PS3.5 7.8.1, Private Data Element Tags; PS3.3 C.7.1.1, Patient Module.
"""

from __future__ import annotations

from pydicom.dataset import Dataset

GROUP, CREATOR = 0x0077, "UTEROSEG VIRTUAL"
"""No vendor that pydicom knows writes this group."""
_SAYS = "uteroseg virtual patient"
_TEXTS = ("Manufacturer", "DeidentificationMethod")


def mark_virtual(dataset: Dataset) -> None:
    """Say it in a private element and, since these are often removed, in the standard's own attributes."""
    dataset.private_block(GROUP, CREATOR, create=True).add_new(0x01, "LO", _SAYS)
    dataset.PatientIdentityRemoved, dataset.DeidentificationMethod = "YES", _SAYS
    if "Manufacturer" in dataset and _SAYS not in dataset.Manufacturer:
        dataset.Manufacturer += f" ({_SAYS})"  # the vendor comes first: it tells how the file is read


def is_virtual(header: Dataset) -> bool:
    """Whether a file is one of a virtual patient; one mark is enough."""
    creators = [tag for tag in header.keys() if tag >> 16 == GROUP and tag & 0xFF00 == 0]  # noqa: SIM118
    return (
        any(header[tag].value == CREATOR for tag in creators)
        or any(_SAYS in str(header.get(keyword) or "").casefold() for keyword in _TEXTS)
        # files of versions that wrote no other mark
        or str(header.get("ManufacturerModelName") or "").startswith("Virtual ")
    )
