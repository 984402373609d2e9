"""Rows of an index, made up."""

from uteroseg.intake.public.index import IndexedSeries


def row(
    description, *, modality="MR", number=1, study="1.2", collection="cptac_ucec", patient="P1", **fields
):
    uid = fields.pop("uid", f"{study}.{modality}.{number}.{description}")
    values = {
        "date": "2000-01-01",
        "files": 1,
        "megabytes": 1.0,
        "address": f"s3://idc-open-data/{uid}/*",
        "licence": "CC BY 4.0",
        "doi": "10.7937/89M3-KQ43",
    }
    return IndexedSeries(
        collection=collection,
        patient=patient,
        study=study,
        uid=uid,
        modality=modality,
        description=description,
        number=str(number),
        **{**values, **fields},
    )
