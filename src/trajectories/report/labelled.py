"""A protected table as people outside read it: chosen columns, headers in words, the label of each code beside it.

1. *Closed.* `COLUMNS` names every column of every table, and whether it leaves; one that it does not name stops the
   export, as does one without words in the catalogue. Numbers of persons that no page shows stay behind: next to those
   of other tables they could tell small differences, and nobody has looked at that.
2. *Hidden is empty.* A row of which nothing is told keeps what it is of, and a status; everything else is emptied.
3. *Why, as pages say it.* The exact reason stays behind: « few left » on one hidden cell and « would give it away » on
   the next tell that the second holds `threshold` or more, and then what is left for the first.
4. *Counts of pages only.* The stock by fiscal year stays behind: of a region whose number without a known departure is
   hidden it would stand in for that (disclosure/beside_counts.py, rule 3).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd

from ..disclosure import Protected
from ..disclosure.rates import MAIN
from ..disclosure.rules import RATE_DECIMALS
from ..exceptions import TableError
from ..portrait import WHO
from ..portrait.areas import CITY, CITY_OF
from ..portrait.services import ANY_SERVICE, SERVICE_TABLES, YES
from ..services.given import ANY_SERVICE as ANY
from . import leads
from .counting import COMPLEMENTS, TOTAL
from .figures.moved import OWN, value_name
from .inputs import frame_of
from .readings import TOO_SHORT, level_name, origin_name, type_name
from .run import Run
from .words import Words

PUBLISHED, RANGE, HIDDEN, NONE = STATUSES = ("published", "range", "hidden", "none")


@dataclass(frozen=True)
class Columns:
    """
    The columns of a table: what a row is of, what it tells (emptied where nothing may be told), what stays behind.
    """

    of: tuple[str, ...]
    told: tuple[str, ...]
    behind: tuple[str, ...] = ()


_LIMITS = ("estimate", "lower", "upper")
_RANGE = ("at_least", "at_most")
_ABOUT = ("perimeter", "scope", "pathway", "measure")  # the same on every row: the reading sheet says them
# In the order of the sheets.
COLUMNS: dict[str, Columns] = {
    "retention": Columns(
        ("group", "method", "horizon"),
        (*_LIMITS, *_RANGE, "range_lower", "range_upper", "n_start", "n_at_risk", "known", "reporting", "published"),
        (*_ABOUT, "n_confirmed"),
    ),
    "exits": Columns(
        ("group", "cause", "horizon"), (*_LIMITS, "known", "published"),
        (*_ABOUT, *_RANGE, "method", "reporting", "n_start", "n_at_risk", "n_confirmed"),
    ),
    "curves": Columns(
        ("group", "month"),
        ("survival", "lower", "upper", "lost_left", "lost_stayed", "n_risk", "known", "published"), ("horizon",),
    ),
    "periods": Columns(("group", "part", "horizon"), (*_LIMITS, "since", "change", "known"), ("measure",)),
    "restricted_time": Columns(("group", "horizon"), (*_LIMITS, "known")),
    "moves_per_person": Columns(("group", "horizon"), _RANGE),
    "occupation": Columns(("group", "month", "state"), ("share", "known")),
    "settled": Columns(("group",), _LIMITS),
    "counts": Columns(
        ("group", "table", "key"), ("persons", "households", "published"), ("sum_of_displayed",),
    ),
    "delays": Columns(
        ("group", "month"), ("incidence_settled",), ("survival", "lower", "upper", "n_risk", "n_exit_settled")
    ),
    "stock": Columns(("group", "month"), _RANGE),
    "leads": Columns(
        ("group", "rank", "rule", "subject", "evidence"), ("horizon", *_LIMITS, "expected", "households"),
        ("kind", "measure", "said"),
    ),
    "service_funnel": Columns(("group", "process_step"), ("at_least", "at_most")),
    "service_transfer": Columns(("group", "horizon"), (*_RANGE, "n_start"), ("measure",)),
    "service_delay": Columns(("group", "horizon"), (*_RANGE, "n_start"), ("measure",)),
    "service_reach": Columns(("group", "service", "when"), (*_RANGE, "n_start"), ("measure",)),
    "service_needs": Columns(("group", "need", "service", "horizon"), (*_RANGE, "n_start"), ("measure",)),
    "service_reasons": Columns(("group", "exit_reason", "service"), (*_RANGE, "n_start"), ("measure",)),
    "service_follow_up": Columns(
        ("group", "measure", "organisation_type", "horizon"), (*_RANGE, "n_start"),
    ),
    "drawn": Columns(
        ("group", "horizon"), (*_LIMITS, *_RANGE, "shrunken", "shrunken_lower", "shrunken_upper"),
        (*_ABOUT, "method", "known", "n_start", "n_at_risk"),
    ),
    "funnel": Columns(
        ("group", "horizon"), ("lower_95", "upper_95", "lower_998", "upper_998", "outside", "effective_n")
    ),
    "comparison": Columns(
        ("by", "group", "reference", "measure", "method", "horizon"), (*_LIMITS, "p", "overlap", "adjusted_for"),
        ("perimeter", "scope", "pathway", "disagree", "n_start"),
    ),
    "coefficients": Columns(
        ("model", "term", "level", "reference", "from_month", "to_month"), ("hazard_ratio", "lower", "upper", "p"),
        ("group", "reading", "n_model_stays", "n_model_events"),
    ),
    "served": Columns(
        ("service", "model"), ("hazard_ratio", "lower", "upper", "p", "e_value", "e_value_limit"),
        ("group", "level", "n_model_stays", "n_model_events"),
    ),
    "types": Columns(
        ("type", "name"), ("persons", "households", "share", "silhouette", "jaccard"), ("group", "rule")
    ),
    "states": Columns(("type", "month", "state"), ("share",), ("group",)),
    "paths": Columns(("type", "rank", "stage", "state"), ("start", "end"), ("group",)),
    "checks": Columns(("group",), ("estimate",), ("measure",)),
    "sensitivity": Columns(("group", "horizon"), ("estimate", *_RANGE, "persons_at_most")),
    "odds": Columns(("group", "assumption", "value", "horizon"), ("estimate", "share_heard"), ("unmoved",)),
    "panel": Columns(("group", "setting", "setting_value", "horizon"), ("estimate", "step"), ("n_start",)),
}  # fmt: skip
SHOWN, REASON = "shown", "reason"
# Counts that stand on a page beside those of `WHO` and of services before the establishment.
COUNTED = (
    "stays", "origin", "pathway", "fiscal_year", "exit", "lost", "late_news", "excluded", "migration", "delay", "rows",
    "places", "linkage", "links", "conflicts", "type",
    *(name for name in WHO if name != "city_size"), *SERVICE_TABLES,
)  # fmt: skip
# Counts that no page shows (rule 4).
NOT_COUNTED = ("city_size", "stock_certain", "stock_possible")


@dataclass(frozen=True)
class Column:
    """One column of a sheet: its code and header, what it means, and whether it holds text, numbers or dates."""

    name: str
    header: str
    meaning: str
    kind: str


@dataclass(frozen=True)
class Sheet:
    """A table to export: its name in code and in words, what one row of it is, its columns and its rows."""

    name: str
    title: str
    what: str
    columns: tuple[Column, ...]
    rows: pd.DataFrame


def labelled(name: str, table: Protected, words: Words, run: Run) -> Sheet:
    """
    A protected table with the words of its codes.

    Parameters
    ----------
    name : str
        As in `report.protected.shown_tables`.
    table : Protected
    words : Words
    run : Run

    Raises
    ------
    DisclosureError
        The table did not pass through `protect`.
    TableError
        The table, or a column of it, is not one that is known to leave, or has no words.
    """
    frame = frame_of(table)
    if name == "panel":
        # text here, a number along a scale
        frame = frame.rename(columns={"value": "setting_value"})
    if name == "served":
        frame = frame.rename(columns={"term": "service"})
    if name == "service_funnel":
        # a step of households here, of rounding there
        frame = frame.rename(columns={"step": "process_step"})
    if name not in COLUMNS:
        raise TableError(f"the table {name} is not among those that are exported (report/labelled.py).")
    known = COLUMNS[name]
    strange = [column for column in frame if column not in (*known.of, *known.told, *known.behind, SHOWN, REASON)]
    if strange:
        raise TableError(f"nobody has said whether {', '.join(f'{name}.{c}' for c in strange)} may be exported.")
    if name == "counts":
        frame = _on_pages(frame)
    if name == "delays":
        # of rounded counts, and as pages tell it
        frame = frame.assign(incidence_settled=frame["incidence_settled"].round(RATE_DECIMALS))
    if name == "funnel":
        frame = frame.assign(outside=frame["outside"].map({True: "true", False: "false"}))
    status, why = _status(frame)
    frame = frame.assign(status=status, why=why)
    told = [column for column in known.told if column in frame]
    empty = frame["status"].isin((HIDDEN, NONE))
    for column in told:
        values = frame[column].astype("object") if column in _TEXT else frame[column]
        frame[column] = values.where(~empty, None)
    if name == "retention":
        # pages tell how many are observed of the main estimate only
        counted = ["n_start", "n_at_risk"]
        frame[counted] = frame[counted].where(frame["method"].eq(MAIN))
    return sheet(name, frame[[*known.of, "status", "why", *told]], words, run)


def sheet(name: str, frame: pd.DataFrame, words: Words, run: Run) -> Sheet:
    """
    A frame of codes and numbers, with headers, meanings and labels from the catalogue.

    Raises
    ------
    TableError
        A column without a header or a meaning: all of them at once.
    """
    silent = [name] if not (words.has(f"sheet.{name}") and words.has(f"sheet_what.{name}")) else []
    silent += [
        f"{name}.{column}" for column in frame
        if not words.has(f"field.{column}") or _meaning(name, column, words) is None
    ]  # fmt: skip
    if silent:
        raise TableError(f"the catalogue has no words for {', '.join(silent)}.")
    columns, made = [], {}
    for column, values in frame.items():
        header, meaning = words.say(f"field.{column}"), _meaning(name, column, words)
        if column in _LABELS:
            code = words.say("field.code_of", name=header)
            columns.append(Column(column, code, words.say("meaning.code_of", name=header), "text"))
            made[column] = values
            column, values = f"{column}_label", _labels(frame, column, words, run)
        kind = _kind(values)
        columns.append(Column(column, header, meaning, kind))
        made[column] = values
    title, what = words.say(f"sheet.{name}"), words.say(f"sheet_what.{name}")
    return Sheet(name, title, what, tuple(columns), pd.DataFrame(made).reset_index(drop=True))


def _on_pages(counts: pd.DataFrame) -> pd.DataFrame:
    """The counts that stand on a page, without the keys that only complete a table."""
    names = counts["table"].str.partition(" ")[0]
    strange = sorted(set(names) - {*COUNTED, *NOT_COUNTED})
    if strange:
        raise TableError(f"nobody has said whether the counts {', '.join(strange)} may be exported.")
    rest = pd.Series(False, index=counts.index)
    for table, keys in COMPLEMENTS.items():
        rest |= counts["table"].eq(table) & counts["key"].isin(keys)
    rest |= counts["table"].isin(SERVICE_TABLES) & counts["key"].ne(YES)
    return counts[names.isin(COUNTED) & ~rest].reset_index(drop=True)


def _status(frame: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """What is told of each row, and why no more: in the words of the pages, not by the rule that hid it."""
    shown = frame[SHOWN].astype(bool)
    ranged = frame["at_most"].notna() if "at_most" in frame else pd.Series(False, index=frame.index)
    exact = frame["estimate"].notna() if "estimate" in frame else pd.Series("at_most" not in frame, index=frame.index)
    reason = frame[REASON] if REASON in frame else pd.Series(None, index=frame.index, dtype="object")
    status = pd.Series(HIDDEN, index=frame.index, dtype="object")
    # nothing carries it that far, or the course of stays does not show it: no number there is
    status[reason.isin((*TOO_SHORT, *_NO_NUMBER))] = NONE
    status[shown] = PUBLISHED
    status[ranged & ~(shown & exact)] = RANGE
    why = pd.Series(None, index=frame.index, dtype="object")
    why[status.eq(HIDDEN)] = HIDDEN
    why[status.eq(NONE)] = reason.where(reason.isin(_NO_NUMBER), "insufficient")
    why[status.eq(RANGE) & ~shown] = RANGE
    return status, why


def _meaning(table: str, column: str, words: Words) -> str | None:
    own = f"meaning.{table}.{column}"
    if words.has(own):
        return words.say(own)
    return words.say(f"meaning.{column}") if words.has(f"meaning.{column}") else None


def _kind(values: pd.Series) -> str:
    if pd.api.types.is_datetime64_any_dtype(values):
        return "date"
    numeric = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    return "number" if numeric else "text"


def _labels(frame: pd.DataFrame, column: str, words: Words, run: Run) -> pd.Series:
    """The label of each code of a column; each combination of what decides it is asked once."""
    beside, label = _LABELS[column]
    needed = [column, *(name for name in beside if name in frame)]
    known: dict[tuple, str | None] = {}
    found = []
    for codes in frame[needed].astype("object").itertuples(index=False, name=None):
        if codes not in known:
            missing = pd.isna(codes[0]) or codes[0] == ""
            known[codes] = None if missing else label(pd.Series(codes, index=needed), words, run)
        found.append(known[codes])
    return pd.Series(found, index=frame.index, dtype="object")


def place_name(group: str, words: Words) -> str:
    """The name of a region, of the whole, of a group of regions, or of a level (« Âge : 18 à 29 ans »)."""
    column, equals, level = group.partition("=")
    if not equals or not words.has(f"covariate.{column}"):
        return words.region(group)
    return words.say("level.of_trait", trait=words.label("covariate", column), level=level_name(column, level, words))


def _table(row: pd.Series, words: Words, run: Run) -> str:
    name = row["table"]
    if name in SERVICE_TABLES:
        return words.say("services.title")
    known = "lost" if name in COMPLEMENTS else name
    return words.say(f"counts.{known}", place=words.in_region(row["group"]))


def _key(row: pd.Series, words: Words, run: Run) -> str:
    table, key = row["table"], row["key"]
    if key == TOTAL:
        return words.say("counts.whole" if table == "stays" else "counts.sum_of_displayed")
    if table in SERVICE_TABLES:
        service = table.removeprefix("service_")
        return words.say("services.any") if table == ANY_SERVICE else level_name("service", service, words)
    if table == "origin":
        return origin_name(key, words)
    if table == "type":
        return type_name(key, words)
    if table == "area" and key == CITY:
        return words.label("area", CITY_OF.get(row["group"], CITY))
    return level_name(table, key, words) if words.has(f"covariate.{table}") else words.label(table, key)


def _service(row: pd.Series, words: Words, run: Run) -> str:
    return words.say("services.any") if row["service"] == ANY else level_name("service", row["service"], words)


def _state(row: pd.Series, words: Words, run: Run) -> str:
    here = "region" if run.scope == "region" else "anywhere"
    return words.label("state", here if row["state"] in ("this_region", "region") else row["state"])


def _level(row: pd.Series, words: Words, column: str) -> str:
    return level_name(row["term"], row[column], words)


def _reference(row: pd.Series, words: Words, run: Run) -> str:
    return _level(row, words, "reference") if "term" in row else place_name(row["reference"], words)


def _alike(row: pd.Series, words: Words, run: Run) -> str:
    names = [name for name in row["adjusted_for"].split(", ") if name]
    return words.listing([words.label("held_alike", name) for name in names])


def _setting(row: pd.Series, words: Words, run: Run) -> str:
    return words.say("figure.moved.study") if row["setting"] == OWN else words.label("setting", row["setting"])


def _setting_value(row: pd.Series, words: Words, run: Run) -> str:
    if row["setting"] == OWN:
        return words.say("figure.moved.study")
    return value_name(row.rename({"setting_value": "value"}), words)


def _of_family(family: str, column: str) -> Callable[[pd.Series, Words, Run], str]:
    return lambda row, words, run: words.label(family, row[column])


# Columns whose codes have a family of messages.
FAMILIES = {
    "method": "method", "cause": "exit", "known": "known", "reporting": "reporting", "by": "compared",
    "measure": "measure", "model": "model", "term": "covariate", "assumption": "assumption",
    "evidence": "evidence", "status": "status", "why": "why", "outside": "covariate_level", "indicator": "indicator",
    "place_kind": "place_kind", "unit": "unit", "source": "source", "process_step": "step",
    "when": "path.window", "need": "need", "exit_reason": "exit_reason", "organisation_type": "organisation_type",
    "part": "period_part", "change": "period_change",
}  # fmt: skip
# Column → what else decides its label, and how it is made.
_LABELS: Mapping[str, tuple[tuple[str, ...], Callable[[pd.Series, Words, Run], str]]] = {
    **{column: ((), _of_family(family, column)) for column, family in FAMILIES.items()},
    "name": ((), lambda row, words, run: type_name(row["name"], words)),
    "group": ((), lambda row, words, run: place_name(row["group"], words)),
    "table": (("group",), _table),
    "key": (("group", "table"), _key),
    "state": ((), _state),
    "level": (("term",), lambda row, words, run: _level(row, words, "level")),
    "reference": (("term",), _reference),
    "adjusted_for": ((), _alike),
    "setting": ((), _setting),
    "setting_value": (("setting",), _setting_value),
    "rule": ((), lambda row, words, run: words.say(f"lead.{row['rule']}.short")),
    "service": ((), _service),
    "subject": (("rule",), lambda row, words, run: leads.subject(row, words)),
}  # fmt: skip
_TEXT = frozenset({*_LABELS, "published"})
_NO_NUMBER = ("no_plateau", "short_follow_up", "shape")
