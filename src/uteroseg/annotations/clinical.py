"""Which columns of a table tell of a disease, and nothing of who has it or when they came."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

_WHO = (
    "patient patients id ids uid uids pid mrn ssn ahv forename surname nom prenom nome case "
    "fall akte dossier chart address adresse street strasse straße email zip plz postcode city town ort "
    "date dates datum dob born geboren jahrgang surgeon operator"
)
_WHO_WORDS = frozenset(_WHO.split())
_NUMBERS = frozenset(["number", "nummer", "num", "nr", "no"])
"""They tell who, but where they count what is of the disease."""
_WHO_PARTS = re.compile(
    "name|initial|birth|geburt|phone|telefon|mail|accession|insurance|versicher|arzt|ärzt|aerzt|physician|doctor|chirurg|"
    "referr|zuweis|radiologist|radiolog[ei]n?$|patholog(?:ist|e)|therapist|therapeut|"
    "(?:patient|case|study|subject|person|exam)(?:id|uid|nr|no)"
)
_FREE = re.compile(
    "remark|comment|komment|bemerk|notiz|anmerk|note|memo|report|befund|beurteil|text|beschreib|descri"
)
_DISEASE = re.compile(
    "histo|patholog|morpholog|diagnos|disease|krank|tumo|cancer|krebs|carcin|karzin|sarcom|sarkom|neoplas|site|organ|"
    "locali|lokali|location|stage|stadi|figo|tnm|grad|typ|invasi|infiltr|lymph|nod|metast|margin|treat|"
    "therap|behandl|chemo|radi|brachy|surgery|operation|resect|hyster|menopaus|parity|hpv|lvsi|"
    "receptor|rezeptor|mutat|molecul|molek|genom|marker|p16|p53|mmr|msi|pole|her2|ki-?67|status|"
    "response|outcome|recur|rezidiv|relaps|sex|gender|geschlecht|risk|risiko|score|class|group|gruppe|"
    "arm|comorbid|scanner|vendor|manufact|coil|field|sequenc|protocol"
)
"""Parts of titles whose columns hold terms of medicine, so that their text may be kept."""

_ROMAN = r"(?:iv|i{1,3})\s?[a-d]?\d?"
_PLAIN = re.compile(
    r"[<>≤≥~=]{0,2}\s*[-+]?(?:0|[1-9]\d{0,3})(?:[.,]\d+)?"
    r"\s*(?:%|y|yrs?|years?|jahre?|mm|cm|ml|kg|kg/m[2²]|[nµu]?g/ml|u/ml)?"
    rf"|(?:(?:figo|stage|stadium)\s*)?{_ROMAN}|(?:(?:grade|grad)\s*)?[1-4]"
    r"|(?:[cpyr]{0,3}[tnmglvr][0-4x][a-d]?\d?[\s,]*)+"
    r"|yes|no|ja|nein|oui|non|si|s[iì]|true|false|[yn+-]|pos|neg|positive?|negative?|positiv|negativ"
    r"|left|right|links|rechts|none|keine?|unknown|unbekannt|n/?a|na|nan|\?",
    re.IGNORECASE,
)
"""Numbers, stages, yes and no: what tells nobody, whatever the column."""
_TELLING = re.compile(
    r"@|\d{5}|\b\d{1,4}[./-]\d{1,2}[./-]\d{1,4}\b|\b(?:dr|prof|mrs?|ms|miss|herr|frau|fr|hr|mme|sig|patientin)\b",
    re.IGNORECASE,
)
_MOST_WORDS = 8


def may_identify(title: str) -> bool:
    """Whether a column, by its title, may tell who a patient is, or when they came."""
    words = [word.lower() for word in re.findall(r"[A-ZÄÖÜ]?[a-zäöüß]+|[A-ZÄÖÜ]+", title)]
    if _DISEASE.search(title.lower()) is None and not _NUMBERS.isdisjoint(words):
        return True
    few = {"patient"} if len(words) > 1 else set()  # "patient_sex" is of the clinic
    return not (_WHO_WORDS - few).isdisjoint(words) or any(map(_WHO_PARTS.search, words))


def columns_to_keep(
    rows: Sequence[Mapping[str, str]], titles: Iterable[str]
) -> tuple[list[str], dict[str, str]]:
    """Tell columns that may enter a dataset from those that may name somebody.

    Numbers, stages, yes and no are kept in every column whose title does not tell who or when; text only
    where the title says that it is of the disease, and where no cell holds a date, a long number, a form of
    address, a sentence, or a word of the same row's columns that tell who.

    Parameters
    ----------
    rows : sequence of mapping
        Title → cell, without empty ones.
    titles : iterable of str

    Returns
    -------
    kept : list of str
    left_out : dict of str to str
        Title → why.
    """
    titles = list(titles)
    telling = [title for title in titles if may_identify(title)]
    names = [
        {word for title in telling for word in _words(row.get(title, ""))} for row in rows
    ]  # of each row
    kept: list[str] = []
    left_out: dict[str, str] = {}
    for title in titles:
        cells = [(row[title], known) for row, known in zip(rows, names, strict=True) if title in row]
        if title in telling:
            left_out[title] = "its title may tell who that is, or when they came"
        elif all(_PLAIN.fullmatch(cell) for cell, _ in cells) or (
            _DISEASE.search(title) and not _FREE.search(title) and not any(_tells(*one) for one in cells)
        ):
            kept.append(title)
        else:
            left_out[title] = "its text may tell who that is"
    return kept, left_out


def _tells(cell: str, names: set[str]) -> bool:
    """Whether a cell of medicine may tell more than that."""
    joined = re.sub(r"(?<=\d)[\s./()-]+(?=\d)", "", cell)  # as phone numbers are written
    words = _words(cell)
    long = len(cell.split()) > _MOST_WORDS
    return bool(long or _TELLING.search(cell) or _TELLING.search(joined) or names.intersection(words))


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]{3,}|\d{3,}", text.casefold())
