"""The index of Imaging Data Commons, as the package idc-index-data ships it: no network is needed."""

from __future__ import annotations

import html
import re
from collections.abc import Collection as AnyOf
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_COLUMNS = {  # of the index: of IndexedSeries
    "collection_id": "collection",
    "PatientID": "patient",
    "StudyInstanceUID": "study",
    "StudyDate": "date",
    "SeriesInstanceUID": "uid",
    "Modality": "modality",
    "SeriesDescription": "description",
    "SeriesNumber": "number",
    "instanceCount": "files",
    "series_size_MB": "megabytes",
    "series_aws_url": "address",
    "license_short_name": "licence",
    "source_DOI": "doi",
}
_RADIOLOGY = ("MR", "RTSTRUCT")


@dataclass(frozen=True)
class IndexedSeries:
    """A series as the index describes it.

    Parameters
    ----------
    collection, patient, study, date, uid, modality, description : str
        Empty where the index has nothing.
    number : str
        Series Number, as text.
    files : int
    megabytes : float
    address : str
        ``s3://bucket/folder/*``.
    licence, doi : str
        Of the source that it was published in.
    """

    collection: str
    patient: str
    study: str
    date: str
    uid: str
    modality: str
    description: str
    number: str
    files: int
    megabytes: float
    address: str
    licence: str
    doi: str

    @property
    def place(self) -> tuple[str, str]:
        """Bucket and folder."""
        bucket, folder = self.address.removeprefix("s3://").removesuffix("*").split("/", 1)
        return bucket, folder


def read_index(collections: AnyOf[str]) -> list[IndexedSeries]:
    """The MR and RTSTRUCT series of some collections, by patient, date and number."""
    import pyarrow.dataset as arrow

    table = arrow.dataset(_file("idc_index")).to_table(
        columns=list(_COLUMNS),
        filter=arrow.field("collection_id").isin(sorted(collections))
        & arrow.field("Modality").isin(_RADIOLOGY),
    )
    found = [IndexedSeries(**{_COLUMNS[n]: _plain(v) for n, v in row.items()}) for row in table.to_pylist()]
    return sorted(found, key=_order)


def read_citations(collections: AnyOf[str]) -> Mapping[str, str]:
    """DOI (lower case) → how to cite it, of every source of some collections."""
    import pyarrow.dataset as arrow

    table = arrow.dataset(_file("collections_index")).to_table(
        columns=["sources"], filter=arrow.field("collection_id").isin(sorted(collections))
    )
    sources = [source for row in table.to_pylist() for source in row["sources"] or []]
    return {str(source["source_doi"]).lower(): _text(source["citation"]) for source in sources}


def _file(name: str) -> Path:
    from idc_index_data import INDEX_METADATA

    return Path(str(INDEX_METADATA[name]["parquet_filepath"]))


def _plain(value: Any) -> Any:
    return "" if value is None else value


def _order(series: IndexedSeries) -> tuple[Any, ...]:
    number = int(series.number) if series.number.isdecimal() else 0
    return series.collection, series.patient, series.date, series.study, number, series.uid


def _text(citation: str | None) -> str:
    """A citation without its HTML."""
    return " ".join(re.sub(r"<[^>]*>", "", html.unescape(citation or "")).split())
