"""The workbook that partners fill in: the columns of the contract, drop-down lists, a dictionary, and examples.

The workbook is read without an issue: every cell of the data sheet is text, so that « mars 2022 » stays a month and
`01023` keeps its zero; the two sheets of explanation say in their first cell that they are not read. « Schéma proposé,
non officiel ». The same call gives the same bytes.
"""

from __future__ import annotations

import datetime as dt
import functools
import io
import re
import tomllib
from importlib import resources
from pathlib import Path

from ..exceptions import TrajectoriesError
from ..folders import replaced
from .crosswalks import LIST_OF, NOT_DATA, Crosswalk, load_crosswalk

# ----------------------------------------------------------------------------------------------------
# The words that partners read: columns of the contract (`dictionary.toml`) and short sentences (`french.toml`).


@functools.cache
def dictionary() -> dict[str, dict]:
    """Meaning, accepted values and examples of each column of the template, by canonical name and in order."""
    return tomllib.loads(resources.files(__package__).joinpath("dictionary.toml").read_text(encoding="utf-8"))


@functools.cache
def french(section: str) -> dict:
    """
    The short texts of a section of `french.toml`.

    Examples
    --------
    >>> french("where")["row"].format(references="4:6")
    'ligne 4:6'
    """
    return tomllib.loads(resources.files(__package__).joinpath("french.toml").read_text(encoding="utf-8"))[section]


def choices(column: str, crosswalk: Crosswalk) -> list[str]:
    """
    The labels of the values that a column accepts; empty where it accepts any text.

    Examples
    --------
    >>> from .crosswalks import load_crosswalk
    >>> choices("job_found", load_crosswalk()), choices("residence", load_crosswalk())
    (['O', 'N'], [])
    """
    entry = dictionary().get(column, {})
    if "choices" in entry or "accepted" in entry:
        return list(entry.get("choices", ()))
    return list(crosswalk.labels.get(LIST_OF.get(column, column), {}).values())


def accepted(column: str, crosswalk: Crosswalk) -> str:
    """
    What a column accepts, in French; empty for a column that is not of the contract.

    Examples
    --------
    >>> from .crosswalks import load_crosswalk
    >>> accepted("french", load_crosswalk()), accepted("quarter", load_crosswalk())
    ('aucune, débutant, intermédiaire, avancé, ou un niveau de 0 à 12', 'T1 à T4')
    """
    entry = dictionary().get(column, {})
    return entry.get("accepted") or ", ".join([*choices(column, crosswalk), *filter(None, [entry.get("more")])])


# ----------------------------------------------------------------------------------------------------

_LAST_ROW = 5000
_CREATED = dt.datetime(2000, 1, 1)
_LONGEST_MESSAGE, _LONGEST_ERROR, _LONGEST_LIST = 255, 225, 255
_CODE = re.compile(r"^[A-Za-z0-9][A-Za-z0-9-]{0,30}$")


def default_name(organisation: str | None = None) -> str:
    """The name of the template's file where none is given."""
    return f"modele-depot-{organisation}.xlsx" if organisation else "modele-depot.xlsx"


def write_template(out: str | Path, organisation: str | None = None) -> Path:
    """
    Write the template.

    Parameters
    ----------
    out : path
        An .xlsx.
    organisation : str, optional
        The organisation's code: the first choice of its column.

    Returns
    -------
    Path

    Raises
    ------
    TrajectoriesError
        `out` is no .xlsx, or the code holds more than letters, digits and dashes.
    """
    out = Path(out)
    if out.suffix.lower() != ".xlsx":
        raise TrajectoriesError(f"{out}: the template is an .xlsx; give a name that ends in .xlsx.")
    content = template(organisation)
    out.parent.mkdir(parents=True, exist_ok=True)
    with replaced(out) as scratch:
        scratch.write_bytes(content)
    return out


def template(organisation: str | None = None) -> bytes:
    """
    The template's bytes.

    Examples
    --------
    >>> template() == template(), template("EER01")[:2]
    (True, b'PK')
    """
    import xlsxwriter

    if organisation is not None and not _CODE.match(organisation):
        raise TrajectoriesError(f"--organisation {organisation!r}: a code has letters, digits and dashes only.")
    stream = io.BytesIO()
    book = xlsxwriter.Workbook(stream, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    book.set_properties({"title": french("template")["title"], "created": _CREATED})
    crosswalk = load_crosswalk()
    _data_sheet(book, crosswalk, organisation)
    _dictionary_sheet(book, crosswalk)
    _examples_sheet(book, crosswalk)
    book.close()
    return stream.getvalue()


def headers(crosswalk: Crosswalk) -> list[str]:
    """The headers of the template, in order."""
    return [crosswalk.labels["columns"][column] for column in dictionary()]


def _data_sheet(book, crosswalk: Crosswalk, organisation: str | None) -> None:
    sheet = book.add_worksheet(french("template")["data"])
    head = book.add_format({"bold": True, "bg_color": "#DCE6F1", "border": 1, "text_wrap": True, "valign": "top"})
    text = book.add_format({"num_format": "@"})
    for position, (column, header) in enumerate(zip(dictionary(), headers(crosswalk), strict=True)):
        sheet.write_string(0, position, header, head)
        sheet.set_column(position, position, max(14, len(header) + 2), text)
        listed = [organisation] if column == "organisation_id" and organisation else choices(column, crosswalk)
        sheet.data_validation(1, position, _LAST_ROW, position, _validation(column, header, listed))
    sheet.freeze_panes(1, 0)
    sheet.ignore_errors({"number_stored_as_text": f"A1:AZ{_LAST_ROW}", "two_digit_text_year": f"A1:AZ{_LAST_ROW}"})
    sheet.activate()


def _validation(column: str, header: str, listed: list[str]) -> dict:
    """A drop-down of the listed values, if any, and the meaning of the column as help when a cell is selected."""
    entry = dictionary()[column]
    message = entry["meaning"] if listed else f"{entry['meaning']}\n{entry.get('accepted', '')}"
    input_help = {"input_title": header[:32], "input_message": message[:_LONGEST_MESSAGE], "ignore_blank": True}
    if not listed or len(",".join(listed)) > _LONGEST_LIST:
        return {"validate": "any", **input_help}
    words, more = french("template"), entry.get("more")
    message = words["list"].format(words=", ".join([*listed, *filter(None, [more])]))
    # a value outside the list may be right (several needs, a level of French): it gets a warning, not a refusal
    return {
        "validate": "list",
        "source": listed,
        "error_type": "information" if more or entry.get("several") else "warning",
        "error_title": words["not_listed"],
        "error_message": message if len(message) <= _LONGEST_ERROR else words["long_list"],
        **input_help,
    }


def _note(book, sheet, sentence: str) -> None:
    sheet.write_string(0, 0, f"{NOT_DATA} : {sentence}", book.add_format({"bold": True}))


def _dictionary_sheet(book, crosswalk: Crosswalk) -> None:
    words = french("template")
    sheet = book.add_worksheet(words["dictionary"])
    _note(book, sheet, words["dictionary_note"])
    sheet.write_string(1, 0, words["one_row"])
    head = book.add_format({"bold": True, "bg_color": "#DCE6F1", "border": 1})
    wrapped = book.add_format({"text_wrap": True, "valign": "top", "num_format": "@"})
    sheet.write_row(3, 0, words["headings"], head)
    for row, (column, header) in enumerate(zip(dictionary(), headers(crosswalk), strict=True), start=4):
        entry = dictionary()[column]
        example = next(filter(None, entry["fill"]), "")
        for position, cell in enumerate((header, entry["meaning"], accepted(column, crosswalk), example)):
            sheet.write_string(row, position, cell, wrapped)
    for position, width in enumerate((26, 60, 60, 28)):
        sheet.set_column(position, position, width)
    sheet.freeze_panes(4, 1)


def _examples_sheet(book, crosswalk: Crosswalk) -> None:
    sheet = book.add_worksheet(french("template")["examples"])
    _note(book, sheet, french("template")["examples_note"])
    head = book.add_format({"bold": True, "bg_color": "#EEEEEE", "border": 1})
    text = book.add_format({"num_format": "@", "italic": True})
    for position, (column, header) in enumerate(zip(dictionary(), headers(crosswalk), strict=True)):
        sheet.write_string(2, position, header, head)
        sheet.set_column(position, position, max(14, len(header) + 2))
        for row, cell in enumerate(dictionary()[column]["fill"], start=3):
            sheet.write_string(row, position, cell, text)
    sheet.freeze_panes(3, 0)
