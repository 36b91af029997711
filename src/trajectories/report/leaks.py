"""The leak scan, the last step: every shared file is searched for personal data of the run.

What is looked for, and what keeps false alarms away:

1. Given and family names next to one another, in either order, without regard to accents, case, tags and table cells.
   A pair of words that a page may say anyway (« Le », « An », « Côté », « Laval »: `Allowlist`) counts only where it
   is written as a name: both words with capitals and a space between, or alone in two consecutive cells.
2. A lone word of a name, of three letters or more, that is in no catalogue and no place name.
3. Birth dates, day, month and year, in any notation; not a day that the run itself prints.
4. File and household numbers that cannot be a count (`telling`), and any number beside the word « dossier »;
   organisations' codes and names.
5. Four words in a row as a partner typed them (all words of a shorter remark), where no catalogue has them in a row.
6. Whatever person they are of: ids of persons and of households, postal codes, headings of a partner's columns,
   attributes that carry data (`data-…`, `title`), numbers with five decimals, embedded files, scripts, addresses,
   tracebacks, paths; and files that cannot be searched.

A finding's `value` is the text that matched: it belongs in `sensitive/`, never on a console. The cost is one pass over
the words of the names and one over each file: names are looked up in sets of words, not searched one by one.
"""

from __future__ import annotations

import ast
import csv
import datetime as dt
import functools
import itertools
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from ..stamps import PACKAGE
from ..study import Study
from .addresses import METHOD
from .sections.elsewhere import FIGURES
from .text_extraction import Opened, open_file
from .words import LOCALES, method_text, read_catalogue

# ----------------------------------------------------------------------------------------------------
# The allowlist: words that a page may say, those of the catalogues, of places, of dates and of the markup.
#
# A name that is one of these words is no finding: « Laval » is a town, « an » a year, « Côté » reads as « côté ». All
# comparisons are of plain text: without accents, case and punctuation, one line a piece of text.

# Combining marks above and below letters, and signs of no width.
_UNSEEN = re.compile(
    "[\u0300-\u036f\u0483-\u0489\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u0e31\u0e34-\u0e3a\u1ab0-\u1aff"
    "\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f\u00ad\u200b-\u200f\u2060\ufeff]+"
)
# Letters that Unicode does not decompose (linkage/identities.py has the same).
_LETTERS = (("ø", "o"), ("đ", "d"), ("ł", "l"), ("œ", "oe"), ("æ", "ae"), ("ı", "i"))
_NOT_WORDS = re.compile(r"[^\w\n]+|_+")
# Separators of the pieces of a Markdown text: paragraphs, items of a list, tags, Jinja's insertions.
_APART = re.compile(r"\n\s*\n|\n- |[<>]|\{\{.*?\}\}|\{%.*?%\}")
# Words that matplotlib and browsers use in attributes, beside those of our own code and templates.
_MARKUP = """
    matrix translate rotate scale skewx skewy miter butt round square evenodd nonzero none inherit start middle end
    userspaceonuse objectboundingbox italic normal bold center left right top bottom utf preserve xml svg text html
    width device initial viewport referrer policy content security default src unsafe inline img font data
    anchor dasharray dashoffset opacity rgb hatch href label xlink baseline variant stretch weight size
    xmin ymin xmid ymid xmax ymax meet slice nowrap visible hidden
"""


@dataclass(frozen=True)
class Allowlist:
    """
    What a page may say.

    Attributes
    ----------
    words : frozenset of str
        Plain words.
    pairs : frozenset of str
        Two plain words that follow one another in a message or a place's name.
    first, last : frozenset of str
        The first and last words of a message, or of a part of one between two values: where two parts meet.
    machine : frozenset of str
        `words`, and the words of markup: ids, classes, styles.
    dates : frozenset of date
        Days that the run itself prints (its cut-off, the days of its tables).
    """

    words: frozenset[str]
    pairs: frozenset[str]
    first: frozenset[str]
    last: frozenset[str]
    machine: frozenset[str]
    dates: frozenset[dt.date]


def plain(text: str) -> str:
    """
    The text without accents, case and punctuation; lines stay lines.

    Examples
    --------
    >>> plain("Nguyễn-Thị\\nCÔTÉ, l’Œuvre")
    'nguyen thi\\ncote l oeuvre'
    """
    if not text.isascii():
        # twice: a full-width letter shows its case only once it is decomposed
        text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
        text = _UNSEEN.sub("", text)
        for letter, by in _LETTERS:
            text = text.replace(letter, by)
    return _NOT_WORDS.sub(" ", text.casefold())


def allowlist(names: Iterable[str] = (), dates: Iterable[dt.date] = ()) -> Allowlist:
    """
    The words of this library and of places, with `names` (of the study's groups) and `dates` that the run prints.

    Examples
    --------
    >>> may = allowlist(["Est lointain"])
    >>> {"lointain", "laval", "retention", "mars"} <= may.words, "est lointain" in may.pairs, "zhang" in may.words
    (True, True, False)
    """
    *from_library, machine = _of_library()
    words, pairs, first, last = (base | more for base, more in zip(from_library, _taken_apart(names), strict=True))
    return Allowlist(words, pairs, first, last, machine | words, frozenset(dates))


def on_method_page(allowed: Allowlist) -> Allowlist:
    """`allowed`, and the words of the method page: « Cox », « Fine » and « Gray » are authors on that page."""
    words, pairs, first, last = _of_method_page()
    return Allowlist(
        allowed.words | words,
        allowed.pairs | pairs,
        allowed.first | first,
        allowed.last | last,
        allowed.machine | words,
        allowed.dates,
    )


@functools.cache
def _of_method_page() -> tuple[frozenset[str], ...]:
    paragraphs = (piece for language in LOCALES for piece in _APART.split(method_text(language)))
    return _taken_apart(" ".join(paragraph.split()) for paragraph in paragraphs)


@functools.cache
def _of_library() -> tuple[frozenset[str], ...]:
    words, *joints = _taken_apart([*_messages(), *_places(), *_calendar()])
    machine, *_ = _taken_apart([*_code(), _MARKUP])
    return words, *joints, machine


def _taken_apart(texts: Iterable[str]) -> tuple[frozenset[str], ...]:
    """Words, pairs of words, first words, last words of the lines of texts."""
    lines = [line.split() for line in plain("\n".join(texts)).split("\n") if line.strip()]
    return (
        frozenset(word for line in lines for word in line),
        frozenset(" ".join(two) for line in lines for two in itertools.pairwise(line)),
        frozenset(line[0] for line in lines),
        frozenset(line[-1] for line in lines),
    )


def _messages() -> Iterable[str]:
    for language in LOCALES:
        for message in read_catalogue(language):
            if message.id:
                texts = [message.string] if isinstance(message.string, str) else message.string
                # a value set into a message separates the words on its two sides
                yield from (re.sub(r"\{[^}]*\}", "\n", text) for text in texts if text)
    yield from (source.name for figure in FIGURES for source in figure.sources)


def _places() -> Iterable[str]:
    for path in sorted((PACKAGE / "places" / "reference").glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                yield from (value for value in row.values() if value)


def _calendar() -> Iterable[str]:
    from babel.dates import get_day_names, get_month_names

    for locale in LOCALES.values():
        for names in (get_month_names, get_day_names):
            for width in ("wide", "abbreviated"):
                yield from names(width, locale=locale).values()
    yield "1er"


def _code() -> Iterable[str]:
    """The words that this room's code and templates write into attributes and styles."""
    room = Path(__file__).parent
    for path in sorted((room / "templates").iterdir()):
        yield path.read_text(encoding="utf-8")
    for path in sorted(room.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        yield from (
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 200  # no docstring
        )


# ----------------------------------------------------------------------------------------------------
# The personal data that the leak scan looks for, from the tables of the build.
#
# The columns: given_name, family_name, birth_date, file_number, household_number, organisation_id and organisation of
# `records`; what partners typed (places as typed in `records`, cells in `quarantine` and `issues`). Remarks are in no
# table (docs/deposit-schema.md), so a page made of tables cannot hold one; they are read again from the deposits, which
# takes as long as reading them did, and only where a file holds a run of words that is in no catalogue.
#
# Names are kept as plain text and in memory only; the repr of `Secrets` has counts alone.

_TYPED = {
    "records": ("residence", "destination", "exit_destination", "remarks"),
    "quarantine": ("value",),
    "issues": ("value",),
}
_NUMBERS = ("file_number", "household_number")
_FISCAL_YEAR = re.compile(r"(?:19|20)\d\d[-/](?:19|20)?\d\d")


def _nothing_typed() -> Iterable[str]:
    return ()


@dataclass(frozen=True, repr=False)
class Secrets:
    """
    The personal data that no shared file may hold.

    Attributes
    ----------
    given, family : list of str
        Plain text: a distinct spelling each.
    persons : ndarray of int, two columns
        Distinct persons' names: positions in `given` and in `family`, −1 where unknown.
    births : frozenset of int
        Birth dates known to the day, as days since 1970.
    numbers : frozenset of str
        File and household numbers, lower case.
    organisations : frozenset of str
        Codes, lower case.
    organisation_names : frozenset of str
        Plain text.
    typed : callable
        Gives the free text that partners typed; called only where a file may hold some of it.
    at_hand : bool
        False: no build was there to read them from.
    """

    given: list[str] = field(default_factory=list)
    family: list[str] = field(default_factory=list)
    persons: np.ndarray = field(default_factory=lambda: np.empty((0, 2), dtype=np.int64))
    births: frozenset[int] = frozenset()
    numbers: frozenset[str] = frozenset()
    organisations: frozenset[str] = frozenset()
    organisation_names: frozenset[str] = frozenset()
    typed: Callable[[], Iterable[str]] = _nothing_typed
    at_hand: bool = False

    def __repr__(self) -> str:
        return f"Secrets({len(self.persons)} names, {len(self.births)} dates, {len(self.numbers)} numbers)"

    @classmethod
    def of_records(cls, records: pd.DataFrame, typed: Callable[[], Iterable[str]] = _nothing_typed) -> Secrets:
        """
        From a table of records.

        Examples
        --------
        >>> Secrets.of_records(pd.DataFrame({"given_name": ["Ana", "Ana"], "family_name": ["Pérez", "PEREZ"]}))
        Secrets(1 names, 0 dates, 0 numbers)
        """
        given, first = _spellings(records, "given_name")
        family, last = _spellings(records, "family_name")
        pairs = pd.DataFrame({"given": first, "family": last}).drop_duplicates().to_numpy()
        return cls(
            given=given,
            family=family,
            persons=pairs[(pairs >= 0).any(axis=1)],
            births=_days(records),
            numbers=_codes(records, *_NUMBERS),
            organisations=_codes(records, "organisation_id"),
            organisation_names=frozenset(_spellings(records, "organisation")[0]),
            typed=typed,
            at_hand=True,
        )

    @classmethod
    def of_build(cls, study: Study) -> Secrets:
        """From the build in `study.paths.derived`; where there is none, nothing is known (`at_hand` is False)."""
        columns = [
            "given_name",
            "family_name",
            *_NUMBERS,
            "organisation_id",
            "organisation",
            "birth_date_earliest",
            "birth_date_latest",
        ]
        records = _read(study.paths.derived, "records", columns)
        if records is None:
            return cls()
        return cls.of_records(records, lambda: [*typed_in_tables(study.paths.derived), *remarks(study)])


def typed_in_tables(derived: Path) -> list[str]:
    """The free text of partners that the tables hold, each text once."""
    texts: set[str] = set()
    for name, columns in _TYPED.items():
        frame = _read(derived, name, columns)
        for column in () if frame is None else frame:
            texts.update(frame[column].dropna().unique())
    return sorted(texts)


def remarks(study: Study) -> list[str]:
    """The distinct remarks of the deposits, read again; none where the deposits are not at hand."""
    from ..deposits.deposits import CROSSWALKS
    from ..deposits.files import gather
    from ..deposits.reading import find_deposits

    raw = study.paths.raw
    if not raw.is_dir() or not find_deposits(raw):
        return []
    from ..deposits.crosswalks import load_crosswalks

    crosswalks = load_crosswalks(raw.absolute().parent / CROSSWALKS)
    return gather(raw, crosswalks, study.max_rows_per_sheet).texts["remarks"]


def telling(code: str) -> bool:
    """
    Whether a code cannot be a count, a year or a name of the page's own: only such codes are looked for.

    « 129 » is on every page. Letters with digits from four signs on, a zero in front from five digits on, seven digits
    on, or parts with four digits between them; never a fiscal year.

    Examples
    --------
    >>> [telling(code) for code in ("d1195", "2020-m84", "00253", "2020-225", "129", "45120", "t1", "2020-2021")]
    [True, True, True, True, False, False, False, False]
    """
    if len(code) < 4 or _FISCAL_YEAR.fullmatch(code):
        return False
    digits = sum(sign.isdigit() for sign in code)
    if digits == len(code):
        return digits >= 7 or (code[0] == "0" and digits >= 5)
    return digits >= 2 and (digits >= 4 or any(sign.isalpha() for sign in code))


def _spellings(records: pd.DataFrame, column: str) -> tuple[list[str], np.ndarray]:
    """The distinct plain spellings of a column, and per row its position among them (−1: missing)."""
    if column not in records:
        return [], np.full(len(records), -1)
    codes, typed = pd.factorize(records[column])
    # in one text: a million names one by one take many seconds
    lines = plain("\n".join(" ".join(str(name).split()) for name in typed)).split("\n") if len(typed) else []
    of_typed, spellings = pd.factorize(np.array([" ".join(line.split()) or None for line in lines], dtype=object))
    return list(spellings), np.append(of_typed, -1)[codes]


def _days(records: pd.DataFrame) -> frozenset[int]:
    if "birth_date_earliest" not in records:
        return frozenset()
    exact = records.loc[records["birth_date_earliest"].eq(records["birth_date_latest"]), "birth_date_earliest"]
    return frozenset(pd.unique(exact.dropna().to_numpy()).astype("datetime64[D]").astype(int).tolist())


def _codes(records: pd.DataFrame, *columns: str) -> frozenset[str]:
    typed = [code for column in columns if column in records for code in records[column].dropna().unique()]
    lines = "\n".join(" ".join(str(code).split()) for code in typed)
    return frozenset(lines.casefold().replace(" ", "").split("\n")) - {""}


def _read(folder: Path, name: str, columns: Iterable[str]) -> pd.DataFrame | None:
    """A table of the build, with those of the columns that it has; None where there is no table."""
    import pyarrow.parquet as pq

    path = folder / f"{name}.parquet"
    if not path.is_file():
        return None
    present = set(pq.read_schema(path).names)
    return pq.read_table(path, columns=[column for column in columns if column in present]).to_pandas()


# ----------------------------------------------------------------------------------------------------

COLUMNS = ["file", "kind", "where", "value"]
# Kind of finding → its words in a sentence.
KINDS = {
    "person_name": "a given and a family name together", "rare_name": "a name", "birth_date": "a birth date",
    "number": "a file or household number", "organisation": "an organisation's code or name",
    "typed_words": "words that a partner typed", "id": "a person's id", "postal_code": "a postal code",
    "person_column": "a heading of a partner's columns", "data_attribute": "an attribute that carries data",
    "raw_number": "a number that is not rounded", "embedded": "an embedded file",
    "unsearchable": "what cannot be searched",
}  # fmt: skip
_WRITTEN = {
    "id": r"(?<![^\W_])[PHF]?[0-9a-f]{16}(?![^\W_])",
    "postal_code": r"(?<![^\W_])[ABCEGHJ-NPRSTVXY]\d[ABCEGHJ-NPRSTV-Z][ \u00a0-]?\d[ABCEGHJ-NPRSTV-Z]\d(?![^\W_])",
    "person_column": r"(?i)(?<![^\W_])(?:no_dossier|no_menage|date_naissance|code_organisme|file_number"
    r"|household_number|given_name|family_name|birth_date|person_id|household_id|record_id|identity_id|organisation_id)(?![^\W_])",
}
_PATTERNS = {kind: re.compile(pattern) for kind, pattern in _WRITTEN.items()}
_RAW_NUMBER = re.compile(r"(?<![\d.,])\d+[.,]\d{5,}(?!\d)")
_EMBEDDED = re.compile(r"data:[\w.+-]+/[\w.+-]+[;,]", re.IGNORECASE)
# The kinds of html.FORBIDDEN that are also looked for in the text, where entities are resolved.
_TRACES = ("a traceback", "a path of the machine")
# The one data-… attribute of a page: its region.
_OWN_ATTRIBUTE = "data-region"
_MACHINE = ("markup", "style", "metadata", "file name")
_DECIMAL = re.compile(r"\d*[.,]\d+(?![\w-])|#[0-9a-f]{3,8}(?!\w)")
_COMPOUND = re.compile(r"[^\W_]+(?:[-/._][^\W_]+)*")
_NAMED_NUMBER = re.compile(r"\b(?:dossier|no menage|file|household)(?: (?:no|n|number|numero))? ([^\W_]*\d[^\W_]*)")
_MONTHS = (
    r"janv(?:ier)?|jan(?:uary)?|f[ée]vr?(?:ier)?|feb(?:ruary)?|mars|mar(?:ch)?|avr(?:il)?|apr(?:il)?|mai|may|juin"
    r"|june?|juil(?:let)?|july?|ao[ûu]t|aug(?:ust)?|sept?(?:embre|ember)?|oct(?:obre|ober)?|nov(?:embre|ember)?"
    r"|d[ée]c(?:embre|ember)?"
)
_DATES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?<!\d)(?P<y>\d{4})[-/._](?P<a>\d{1,2})[-/._](?P<b>\d{1,2})(?!\d)",
        r"(?<!\d)(?P<a>\d{1,2})[-/._](?P<b>\d{1,2})[-/._](?P<y>\d{4})(?!\d)",
        r"(?<![\d/])(?P<a>\d{2})/(?P<b>\d{2})/(?P<y>\d{2})(?![\d/])",
        rf"(?<!\d)(?P<a>\d{{1,2}})(?:er|st|nd|rd|th)?[\s-]+(?P<m>{_MONTHS})\.?,?[\s-]+(?P<y>\d{{4}})(?!\d)",
        rf"\b(?P<m>{_MONTHS})\.?\s+(?P<a>\d{{1,2}})(?:er|st|nd|rd|th)?,?\s+(?P<y>\d{{4}})(?!\d)",
        r"(?<![\d.,])(?P<y>(?:18|19|20)\d\d)(?P<a>\d\d)(?P<b>\d\d)(?!\d)",
    )
)
_MONTH_BY_START = {
    "ja": 1, "f": 2, "mar": 3, "av": 4, "ap": 4, "mai": 5, "may": 5, "juin": 6, "jun": 6, "juil": 7, "jul": 7,
    "ao": 8, "au": 8, "s": 9, "o": 10, "n": 11, "d": 12,
}  # fmt: skip
_RUN = 4  # words in a row by which a partner's own text is recognised


@dataclass(frozen=True)
class _Piece:
    """The text of one kind in a file (`where`): as it is, plain, and as words in their order."""

    file: str
    where: str
    text: str
    plain: str
    words: list[str]


def find_leaks(
    folder: Path, secrets: Secrets, allowed: Allowlist | None = None, *, searched: Collection[str] = ()
) -> pd.DataFrame:
    """
    Search every file below a folder.

    Parameters
    ----------
    folder : path
    secrets : Secrets
        Of the run; where no build is at hand, only rule 6 applies.
    allowed : Allowlist, optional
        By default, the words of the library.
    searched : collection of str
        Names below the folder that are not opened: files that an earlier run searched as they are now (runs/batch.py).

    Returns
    -------
    DataFrame
        file (below the folder), kind (of KINDS, or of html.FORBIDDEN), where, value; no row for clean files.

    Examples
    --------
    >>> import tempfile; folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "region-05.html").write_text("<td>Zhang</td><td>Wei</td>")
    >>> secrets = Secrets.of_records(pd.DataFrame({"given_name": ["Wei"], "family_name": ["ZHANG"]}))
    >>> find_leaks(folder, secrets)[["file", "kind"]].to_numpy().tolist()[0]
    ['region-05.html', 'person_name']
    """
    folder, allowed = Path(folder), allowed or allowlist()
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    files = {name: open_file(path, name) for name, path in files.items() if name not in searched}
    pieces = [_piece(name, where, text) for name, file in files.items() for where, text in file.pieces.items()]
    findings = [(name, *row) for name, file in files.items() for row in _of_anybody(file)]
    of_method = [piece for piece in pieces if Path(piece.file).name == METHOD]
    others = [piece for piece in pieces if Path(piece.file).name != METHOD]
    for part, may_say in ((others, allowed), (of_method, on_method_page(allowed) if of_method else allowed)):
        for search in (_names, _dates, _codes_found):
            findings += search(part, secrets, may_say)
        # rule 5 may have to read the deposits: not for a file that is withheld anyway
        leaky = {name for name, *_ in findings}
        findings += _typed_words([piece for piece in part if piece.file not in leaky], secrets, may_say)
    return pd.DataFrame(findings, columns=COLUMNS).drop_duplicates(ignore_index=True)


def sentence(findings: pd.DataFrame) -> str:
    """
    What was found in one file or several, without any value of it.

    Examples
    --------
    >>> sentence(pd.DataFrame({"file": ["a.csv"], "kind": ["birth_date"], "where": ["cells"], "value": ["1985-03-02"]}))
    'a.csv held a birth date'
    """
    return "; ".join(
        f"{file} held {' and '.join(KINDS.get(kind, kind) for kind in rows['kind'].unique())}"
        for file, rows in findings.groupby("file", sort=False)
    )


def _piece(file: str, where: str, text: str) -> _Piece:
    simple = plain(text)
    return _Piece(file, where, text, simple, simple.split())


def _of_anybody(file: Opened) -> Iterator[tuple[str, str, str]]:
    """Rule 6: kind, where, value."""
    from .html import FORBIDDEN

    if file.fault:
        yield "unsearchable", "file", file.fault
    for kind, pattern in FORBIDDEN.items():
        if match := pattern.search(file.raw):
            yield kind, "file", match[0]
    if match := _EMBEDDED.search(file.raw):
        yield "embedded", "file", match[0]
    for where, text in file.pieces.items():
        traces = {kind: FORBIDDEN[kind] for kind in _TRACES} if where not in ("markup", "style") else {}
        for kind, pattern in {**_PATTERNS, **traces}.items():
            if match := pattern.search(text):
                yield kind, where, match[0]
        if where not in _MACHINE and (match := _RAW_NUMBER.search(text)):
            yield "raw_number", where, match[0]
    for attribute, value in file.attributes:
        if attribute == "title" or (attribute.startswith("data-") and attribute != _OWN_ATTRIBUTE):
            yield "data_attribute", attribute, value


def _names(pieces: list[_Piece], secrets: Secrets, allowed: Allowlist) -> Iterator[tuple[str, str, str, str]]:
    """Rules 1 and 2."""
    words_there = frozenset(word for piece in pieces for word in piece.words)
    given, family = (
        [all(word in words_there for word in name.split()) for name in names]
        for names in (secrets.given, secrets.family)
    )
    first, last = secrets.persons[:, 0], secrets.persons[:, 1]
    complete = (first >= 0) & (last >= 0)
    complete[complete] &= np.array(given, dtype=bool)[first[complete]] & np.array(family, dtype=bool)[last[complete]]
    couples = [(secrets.given[i], secrets.family[j]) for i, j in secrets.persons[complete]]
    phrases = {" ".join(order): order for g, f in couples for order in ((g, f), (f, g))}
    lone = words_there & {word for names in (secrets.given, secrets.family) for name in names for word in name.split()}
    lone = {word for word in lone if not word.isdigit() and (len(word) > 2 or not word.isascii())}
    for piece in pieces:
        allowed_words = allowed.machine if piece.where in _MACHINE else allowed.words
        for phrase in _phrases_in(piece, phrases):
            all_allowed = set(phrase.split()) <= allowed_words
            if not all_allowed or (piece.where not in _MACHINE and _written_as_name(piece, phrases[phrase], allowed)):
                yield piece.file, "person_name", piece.where, phrase
        for word in sorted(lone.intersection(piece.words) - allowed_words):
            yield piece.file, "rare_name", piece.where, word


def _phrases_in(piece: _Piece, phrases: Iterable[str]) -> list[str]:
    """The phrases whose words are in a row in the piece, across lines (cells) too."""
    of_length: dict[int, list[str]] = {}
    for phrase in phrases:
        of_length.setdefault(phrase.count(" ") + 1, []).append(phrase)
    return sorted(match for n, of_n in of_length.items() for match in set(of_n) & _runs(piece.words, n))


def _runs(words: list[str], n: int) -> set[str]:
    return {" ".join(run) for run in zip(*(words[at:] for at in range(n)), strict=False)}


def _written_as_name(piece: _Piece, order: tuple[str, str], allowed: Allowlist) -> bool:
    """Whether allowed words are written as a name: capitals and one space between, or alone in two cells."""
    phrase = " ".join(order)
    if _runs(phrase.split(), 2) <= allowed.pairs:
        return False
    lines = piece.plain.split("\n")
    original = piece.text.split("\n")
    for at, line in enumerate(lines):
        if f" {phrase} " in f" {' '.join(line.split())} " and _capitals(original[at], phrase):
            return True
        cells = [" ".join(cell.split()) for cell in lines[at : at + 2]]
        if cells == list(order) and all(cell.strip()[:1].isupper() for cell in original[at : at + 2]):
            return True
    return False


def _capitals(line: str, phrase: str) -> bool:
    wanted = phrase.split()
    parts = re.findall(r"[^\W_]+|[\W_]+", line)
    positions = [i for i, part in enumerate(parts) if part[0].isalnum()]
    for start in range(len(positions) - len(wanted) + 1):
        run = positions[start : start + len(wanted)]
        if [plain(parts[i]) for i in run] != wanted or not all(parts[i][0].isupper() for i in run):
            continue
        # « MICHEL, Marie », but « Laval, Longueuil » is a list of places
        between = [
            parts[i - 1] in (" ", "\u00a0", "-") or (parts[i - 1] == ", " and parts[i - 2].isupper()) for i in run[1:]
        ]
        before = parts[run[0] - 1] if run[0] else ""
        after = parts[run[-1] + 1] if run[-1] + 1 < len(parts) else ""
        # « Bas-Saint-Laurent Laval » is no Laurent Laval
        hyphens = ("-", "’", "'")
        if all(between) and not (before.endswith(hyphens) or after.startswith(hyphens)):
            return True
    return False


def _dates(pieces: list[_Piece], secrets: Secrets, allowed: Allowlist) -> Iterator[tuple[str, str, str, str]]:
    """Rule 3."""
    for piece in pieces if secrets.births else ():
        for pattern in _DATES:
            for match in pattern.finditer(piece.text):
                days = list(_dates_written(match.groupdict()))
                # a date that can be read as a day that the run prints is taken for that day
                for day in days if not allowed.dates.intersection(days) else ():
                    if (day - dt.date(1970, 1, 1)).days in secrets.births:
                        yield piece.file, "birth_date", piece.where, match[0]


def _dates_written(parts: dict[str, str]) -> Iterator[dt.date]:
    """The days that a written date may mean: 02/03 is the 2nd of March or the 3rd of February."""
    year = int(parts["y"])
    years = (year,) if year > 99 else (1900 + year, 2000 + year)
    if parts.get("m"):
        name = plain(parts["m"])
        orders = [(next(n for start, n in _MONTH_BY_START.items() if name.startswith(start)), int(parts["a"]))]
    else:
        orders = [(int(parts["a"]), int(parts["b"])), (int(parts["b"]), int(parts["a"]))]
    for month, day in dict.fromkeys(orders):
        for full_year in years:
            try:
                yield dt.date(full_year, month, day)
            except ValueError:
                continue


def _codes_found(pieces: list[_Piece], secrets: Secrets, allowed: Allowlist) -> Iterator[tuple[str, str, str, str]]:
    """Rule 4."""
    organisations = {code for code in secrets.organisations if telling(code) or (code.isalpha() and len(code) > 2)}
    # the code of an organisation known by name only is its name, with hyphens
    names = {*secrets.organisation_names, *(plain(code).strip() for code in secrets.organisations if "-" in code)}
    names = [name for name in names if " " in name and not _runs(name.split(), 2) <= allowed.pairs]
    for piece in pieces:
        allowed_words = allowed.machine if piece.where in _MACHINE else allowed.words
        codes = _compounds(piece.text)
        numbers = sorted(code for code in codes & secrets.numbers if telling(code))
        yield from ((piece.file, "number", piece.where, code) for code in numbers)
        for code in sorted(organisations & codes):
            if not set(plain(code).split()) <= allowed_words:
                yield piece.file, "organisation", piece.where, code
        for name in _phrases_in(piece, names):
            yield piece.file, "organisation", piece.where, name
        for match in _NAMED_NUMBER.finditer(piece.plain):
            if match[1] in secrets.numbers:
                yield piece.file, "number", piece.where, match[1]


def _compounds(text: str) -> set[str]:
    """Words joined by hyphens, slashes and dots, and all parts of them; no decimals, no colours."""
    compounds = set()
    for code in set(_COMPOUND.findall(_DECIMAL.sub(" ", text.casefold()))):
        compounds.add(code)
        parts = re.split(r"([-/._])", code)
        if 1 < len(parts) < 14:
            compounds.update(
                "".join(parts[i:j]) for i in range(0, len(parts), 2) for j in range(i + 1, len(parts) + 1, 2)
            )
    return compounds


def _typed_words(pieces: list[_Piece], secrets: Secrets, allowed: Allowlist) -> Iterator[tuple[str, str, str, str]]:
    """Rule 5."""
    runs: dict[str, list[tuple[str, str]]] = {}
    for piece in pieces:
        if piece.where in _MACHINE:
            continue
        for line in set(piece.plain.split("\n")):
            for run in _unexplained(line.split(), allowed):
                runs.setdefault(run, []).append((piece.file, piece.where))
    if not runs:
        return
    for text in plain("\n".join(" ".join(text.split()) for text in secrets.typed())).split("\n"):
        for run in _unexplained(text.split(), allowed, short_texts=True) & runs.keys():
            yield from ((file, "typed_words", where, run) for file, where in runs[run])


def _unexplained(words: list[str], allowed: Allowlist, short_texts: bool = False) -> set[str]:
    """
    Runs of words with two or more pairs of neighbours that are neither in a message nor where two parts of some meet.

    A number is allowed beside any word. `short_texts`: a text of two or three words counts as one run.
    """
    joints = [
        not (f"{a} {b}" in allowed.pairs or a.isdigit() or b.isdigit() or (a in allowed.last and b in allowed.first))
        for a, b in itertools.pairwise(words)
    ]
    lengths = (min(_RUN, len(words)),) if short_texts else range(2, _RUN + 1)
    unexplained = set()
    for n in lengths:
        for at in range(len(words) - n + 1) if n > 1 else ():
            odd = sum(joints[at : at + n - 1])
            if odd >= 2 or (n == 2 and odd and not set(words[at : at + 2]) <= allowed.words):
                unexplained.add(" ".join(words[at : at + n]))
    return unexplained
