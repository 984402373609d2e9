"""Which columns of a table tell of a disease, and nothing of who has it or when they came."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence


def _any_of(parts: str, before: str = "") -> re.Pattern[str]:
    """A pattern of parts that stand between spaces."""
    return re.compile(f"{before}(?:{'|'.join(parts.split())})")


_WHO = """
    id ids uid uids pid mrn mrnumber ssn ahv nhs hn urn ipp dni nom prenom nome case fall fallnr akte
    chart record code medrec street zip plz npa city town ort date dates dob yob jg born day month year
    jahr geb operator by
"""
"""Words of titles of columns that may tell who a patient is, or when they came."""
_WHO_WORDS = frozenset(_WHO.split())
_WHO_PARTS = _any_of("""
    name initials$ surname patient pat_?(?:nr|id|no)
    (?:case|study|subject|person|exam|hosp)_?(?:id|uid|nr|no)$ dossier pseudo identif histori[ac] phone
    telefon mail address adress street strass straß postleit postal postcode zipcode insur versicher
    kasse hospital spital haus$ klinik clinic$ organi[sz]ation institut accession birth(?!s) geburt
    geboren jahrgang nacim naiss datum (?<!candi)(?<!up)date$ uhrzeit time$
    arzt ärzt aerzt physician doctor chirurg
    surgeon consultant nurse refer zuweis durch$ (?<!rec)ist$ istin$ grapher$ therapeut patholog[ei]n?$
    radiolog[ei]n?$
""")
"""Parts of such words."""
_NUMBER = _any_of("number$ nummer$ num$ nr$ no$ n$ nº$ anzahl$", "^")
"""It numbers patients; where it comes first, it counts what is of the disease."""
_NUMBERED = _any_of("nummer$ number$ nr$", ".")
_FREE = _any_of("""
    remark comment komment bemerk notiz anmerk ^notes?$ memo report befund beurteil text beschreib
    descri
""")
_DISEASE = _any_of(
    r"""
    age âge alter bmi weight height gewicht grösse groesse size volume diameter length depth thickness dose
    gy histo patholog morpho icd diagnos disease krank tumo cancer krebs carcin karzin sarcom sarkom
    neoplas lesion site organ locali lokali location side seite figo stag stadi p?tnm p?[tnm]$ l$ v$ pn$
    r$ grad types?$ typ subtyp differenti invasi infiltr lvsi lymph ln$ nod metast margin parametri
    extension treat trait therap behandl chemo radiat radioth radioch brachy surgery operation resecti hyster
    drug regimen medicati cycle zyklus fraction menopaus parity pregnan births children kinder smok
    rauch diabet symptom bleed hpv receptor rezeptor hormone? er$ pr$ her\d mutat molecul molek genom
    gene$ brca mlh msh pms mmr msi pole p16 p53 pd$ pdl ki$ ki\d ca$ ca\d cea scc psa ldh hcg afp hb$
    haemo hemo leuco leuko platelet throm creat krea albumin crp marker pressure status response
    ansprechen recist outcome recur rezidiv relaps surviv überleben death event follow months?$ sex
    gender geschlecht ethnic race risk risiko score class group gruppe arm$ ecog asa$ charlson comorbid
    scanner vendor manufact coil field tesla sequenc protocol snr adc contrast quality batch fold
""",
    "^",
)
"""Beginnings of words in titles of columns of the disease, so that their numbers and words are kept."""

_ROMAN = r"(?:iv|i{1,3})\s?[a-d]?\d?"
_PLAIN = re.compile(
    rf"(?:(?:figo|stage|stadium)\s*)?{_ROMAN}|(?:grade|grad|g)\s?[1-4]|[01-4]"
    r"|(?:[cpyr]{0,3}[tnmglvr][0-4x][a-d]?\d?[\s,]*)+"
    r"|yes|no|ja|nein|oui|non|si|s[iì]|true|false|[yn+-]|pos|neg|positive?|negative?|positiv|negativ"
    r"|left|right|links|rechts|none|keine?|unknown|unbekannt|n/?a|na|nan|\?",
    re.IGNORECASE,
)
"""Stages, yes and no: what tells nobody, whatever the column."""
_MONTH = (
    "jan|feb|mar|mär|mae|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec|dez|fev|fév|avr|juin|juil|aoû|aou|déc"
)
_TELLING = re.compile(
    rf"@|\b(?:{_MONTH})[a-zéû]*[\s.,-]*\d{{2,4}}\b|\b(?:19|20)\d\d\b|\b0\d\d+"
    r"|\b\d{1,2}[./_,-]\d{1,2}[./_,-](?:19|20)?\d\d\b|\b\d{4}[./_-]\d{1,2}[./_-]\d{1,2}\b"
    r"|\b(?:dr|prof|mrs?|ms|miss|herr|frau|fr|hr|mme|sig|patientin|st)\b\.?\s"
    r"|spital|hospital|klinik|clinic\b|strasse|straße|street|str\.",
    re.IGNORECASE,
)
_AMOUNT = re.compile(
    r"[<>≤≥~=]{0,2}\s*[-+]?(?:0|[1-9]\d{0,6})(?:[.,]\d+)?\s*(?:%|years?|jahre?|months?|[a-zµ]{0,3}(?:/[a-z0-9]{1,4}[²³]?)?[²³]?)",
    re.IGNORECASE,
)
"""A number with its unit: under a title of the disease no identifier."""
_CODES = re.compile(r"\d{4}/\d|\d{1,3}(?:\s?[x/]\s?\d{1,3}){1,2}", re.IGNORECASE)
"""ICD-O, nodes, sizes and types: they look like dates or long numbers and are none."""
_MOST_WORDS = 12
_OF_FILES = _any_of("""
    uter cervi zervi endomet corpus ovar vagin vulv sarc carcin karzin adeno squam serous clear cell
    tumo mask dwi seg label lesion pat case study sub ses nii nrrd mha dcm roi gtv none high low grade
    data images? anno scan mri?
""")
"""Words of paths that name no patient."""


def may_identify(title: str) -> bool:
    """Whether a column, by its title, may tell who a patient is, or when they came."""
    words = _words_of(title)
    counts = bool(words) and _NUMBER.match(words[0]) and any(map(_DISEASE.match, words))
    if len(words) > 1:  # "patient_sex" is of the clinic
        words = [word for word in words if word not in ("patient", "patients")]
    if any(map(_NUMBERED.search, words)) or any(map(_NUMBER.match, words[1:] if counts else words)):
        return True
    return not _WHO_WORDS.isdisjoint(words) or any(map(_WHO_PARTS.search, words))


def columns_to_keep(
    rows: Sequence[Mapping[str, str]], titles: Mapping[str, str], paths: Iterable[str] = ()
) -> tuple[list[str], dict[str, str]]:
    """Tell columns that may enter a dataset from those that may name somebody.

    Stages, yes and no are kept in every column whose title does not tell who or when; numbers and words only
    where the title says that they are of the disease, and where no cell holds a date, a form of address, a
    sentence, or a word of the same row's paths and columns that tell who.

    Parameters
    ----------
    rows : sequence of mapping
        Title → cell, without empty ones.
    titles : mapping of str to str
        Each as the table writes it.
    paths : iterable of str
        Titles of the columns that name files.

    Returns
    -------
    kept : list of str
    left_out : dict of str to str
        Title → why.
    """
    telling = [title for title, written in titles.items() if may_identify(written)]
    names = [{*_names(row, telling), *_of_paths(row, paths)} for row in rows]  # of each row
    kept: list[str] = []
    left_out: dict[str, str] = {}
    for title in titles:
        cells = [(row[title], known) for row, known in zip(rows, names, strict=True) if title in row]
        words = _words_of(titles[title])
        of_disease = any(map(_DISEASE.match, words)) and not any(map(_FREE.search, words))
        if title in telling:
            left_out[title] = "its title may tell who that is, or when they came"
        elif all(_PLAIN.fullmatch(cell) for cell, _ in cells):
            kept.append(title)
        elif not of_disease:
            left_out[title] = "its title is none that is known to be of a disease"
        elif any(may_tell(*one) for one in cells):
            left_out[title] = "its text may tell who that is, or when they came"
        else:
            kept.append(title)
    return kept, left_out


def may_tell(cell: str, names: Iterable[str] = ()) -> bool:
    """Whether a cell may tell who a patient is, or when they came; ``names`` are words that do."""
    if not set(names).isdisjoint(_words(cell)):
        return True
    if _AMOUNT.fullmatch(cell) and not re.fullmatch(r"(?:19|20)\d\d", cell):
        return False
    text = _CODES.sub("", cell)
    joined = re.sub(r"(?<=\d)[\s./()-]+(?=\d)", "", text)  # as phone numbers are written
    long = len(cell.split()) > _MOST_WORDS or re.search(r"\d{5}", joined)
    return bool(long or _TELLING.search(text))


def _names(row: Mapping[str, str], titles: Iterable[str]) -> Iterable[str]:
    return (word for title in titles for word in _words(row.get(title, "")))


def _of_paths(row: Mapping[str, str], titles: Iterable[str]) -> Iterable[str]:
    return (word for word in _names(row, titles) if not _OF_FILES.match(word))


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]{3,}|\d{3,}", text.casefold())


def _words_of(title: str) -> list[str]:
    """The words of a title, ``patientName`` too, in small letters."""
    parted = re.sub(r"(?<=[a-zäöü])(?=[A-ZÄÖÜ])", "_", title)
    return [word for word in re.split(r"[\W_]+", parted.casefold().replace("#", "_nr_")) if word]
