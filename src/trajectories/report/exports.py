"""Every published table as files: CSV and a workbook for Excel, a dictionary, the indicators for a dashboard.

Below `shareable/donnees/`: one CSV a table (all places in it; UTF-8 with its mark; `;` and decimal comma as Excel has
them in French, `,` and decimal point in English), the same tables in `trajectoires.xlsx` after a sheet on how to read
them, `dictionnaire.csv`, `indicateurs.csv`. File names are the same in both languages. Codes stay text, no text is
taken for a formula, and files hold no name of a machine or person and no time: the same tables give the same bytes.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ..analysis.portrait import WHO
from ..analysis.portrait.counting import CITY, CITY_OF
from ..analysis.portrait.flows import ANY_SERVICE, SERVICE_TABLES, YES
from ..analysis.services.service_events import ANY_SERVICE as ANY
from ..disclosure import Protected
from ..disclosure.displayed import beside_targets
from ..disclosure.rates import MAIN
from ..disclosure.rules import RATE_DECIMALS
from ..exceptions import TableError
from ..folders import harmless, replaced, slug
from ..study import REGION_CODES, Study
from ..tables import PROVINCE
from .figures.sensitivity import OWN, value_name
from .inputs import frame_of
from .readings import TOO_SHORT, level_name, origin_name, type_name
from .run import Run
from .sections import leads
from .sections.counting import COMPLEMENTS, TOTAL
from .words import FIRST, Words
from .words import words as words_of

# ----------------------------------------------------------------------------------------------------
# A protected table as exported: chosen columns, headers in words, the label of each code beside it.
#
# 1. *Closed list.* `COLUMNS` names every column of every table, and whether it is exported; a column that it does not
# name stops the export, as does one without words in the catalogue. Numbers of persons that no page shows are withheld:
# compared with other tables they could reveal small differences, which has not been checked. 2. *Hidden rows.* A hidden
# row keeps its key columns and its status; all else is empty. 3. *Reasons as on pages.* The exact reason is withheld:
# « few left » on one hidden cell and « would give it away » on the next reveal that the second holds `threshold` or
# more, and so what is left for the first. 4. *Counts of pages only.* The stock by fiscal year is withheld: it would
# replace a region's hidden number without a known departure (disclosure/beside_counts.py, rule 3).

PUBLISHED, RANGE, HIDDEN, NONE = STATUSES = ("published", "range", "hidden", "none")


@dataclass(frozen=True)
class Columns:
    """
    The columns of a table: the keys of a row, published values (empty in hidden rows), columns not exported.
    """

    keys: tuple[str, ...]
    published: tuple[str, ...]
    withheld: tuple[str, ...] = ()


_LIMITS = ("estimate", "lower", "upper")
_RANGE = ("at_least", "at_most")
_ABOUT = ("perimeter", "scope", "pathway", "measure")  # the same on every row: the reading sheet has them
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
        ("group", "rank", "rule", "subject", "evidence", "actor"),
        ("horizon", *_LIMITS, "expected", "line", "households"),
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
# Counts that pages show, with those of `WHO` and of services before the establishment.
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
    """A table to export: its name in code and in words, the meaning of one row, its columns and its rows."""

    name: str
    title: str
    row_meaning: str
    columns: tuple[Column, ...]
    rows: pd.DataFrame


def labelled(name: str, table: Protected, words: Words, run: Run) -> Sheet:
    """
    A protected table with the words of its codes.

    Parameters
    ----------
    name : str
        As in `report.run.shown_tables`.
    table : Protected
    words : Words
    run : Run

    Raises
    ------
    DisclosureError
        The table did not pass through `protect`.
    TableError
        The table, or a column of it, is not in `COLUMNS`, or has no words.
    """
    frame = frame_of(table)
    if name == "panel":
        # text here, a number in `odds`
        frame = frame.rename(columns={"value": "setting_value"})
    if name == "served":
        frame = frame.rename(columns={"term": "service"})
    if name == "service_funnel":
        # a step of the process here, of rounding in `panel`
        frame = frame.rename(columns={"step": "process_step"})
    if name not in COLUMNS:
        raise TableError(f"the table {name} is not among those that are exported (report/exports.py).")
    columns = COLUMNS[name]
    strange = [
        column
        for column in frame
        if column not in (*columns.keys, *columns.published, *columns.withheld, SHOWN, REASON)
    ]
    if strange:
        raise TableError(f"nobody has said whether {', '.join(f'{name}.{c}' for c in strange)} may be exported.")
    if name == "counts":
        frame = _on_pages(frame)
    if name == "delays":
        # from rounded counts, with the decimals of pages
        frame = frame.assign(incidence_settled=frame["incidence_settled"].round(RATE_DECIMALS))
    if name == "funnel":
        frame = frame.assign(outside=frame["outside"].map({True: "true", False: "false"}))
    status, why = _status(frame)
    frame = frame.assign(status=status, why=why)
    published = [column for column in columns.published if column in frame]
    empty = frame["status"].isin((HIDDEN, NONE))
    for column in published:
        values = frame[column].astype("object") if column in _TEXT else frame[column]
        frame[column] = values.where(~empty, None)
    if name == "retention":
        # pages show numbers observed of the main estimate only
        counted = ["n_start", "n_at_risk"]
        frame[counted] = frame[counted].where(frame["method"].eq(MAIN))
    return sheet(name, frame[[*columns.keys, "status", "why", *published]], words, run)


def sheet(name: str, frame: pd.DataFrame, words: Words, run: Run) -> Sheet:
    """
    A frame of codes and numbers, with headers, meanings and labels from the catalogue.

    Raises
    ------
    TableError
        A column without a header or a meaning: all of them at once.
    """
    unnamed = [name] if not (words.has(f"sheet.{name}") and words.has(f"sheet_what.{name}")) else []
    unnamed += [
        f"{name}.{column}"
        for column in frame
        if not words.has(f"field.{column}") or _meaning(name, column, words) is None
    ]
    if unnamed:
        raise TableError(f"the catalogue has no words for {', '.join(unnamed)}.")
    columns, cells = [], {}
    for column, values in frame.items():
        header, meaning = words.say(f"field.{column}"), _meaning(name, column, words) or ""
        if column in _LABELS:
            code = words.say("field.code_of", name=header)
            columns.append(Column(column, code, words.say("meaning.code_of", name=header), "text"))
            cells[column] = values
            column, values = f"{column}_label", _labels(frame, column, words, run)
        kind = _kind(values)
        columns.append(Column(column, header, meaning, kind))
        cells[column] = values
    title, row_meaning = words.say(f"sheet.{name}"), words.say(f"sheet_what.{name}")
    return Sheet(name, title, row_meaning, tuple(columns), pd.DataFrame(cells).reset_index(drop=True))


def _on_pages(counts: pd.DataFrame) -> pd.DataFrame:
    """The counts that pages show, without the keys that only complete a table."""
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
    """Status of each row and the reason for it: in the words of the pages, not the rule that hid the row."""
    shown = frame[SHOWN].astype(bool)
    ranged = frame["at_most"].notna() if "at_most" in frame else pd.Series(False, index=frame.index)
    exact = frame["estimate"].notna() if "estimate" in frame else pd.Series("at_most" not in frame, index=frame.index)
    reason = frame[REASON] if REASON in frame else pd.Series(None, index=frame.index, dtype="object")
    status = pd.Series(HIDDEN, index=frame.index, dtype="object")
    # follow-up is too short, or the course of stays does not show it: there is no number
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
    """The label of each code of a column, made once for each combination of the columns that decide it."""
    beside, label = _LABELS[column]
    needed = [column, *(name for name in beside if name in frame)]
    label_of: dict[tuple, str | None] = {}
    labels = []
    for codes in frame[needed].astype("object").itertuples(index=False, name=None):
        if codes not in label_of:
            missing = pd.isna(codes[0]) or codes[0] == ""
            label_of[codes] = None if missing else label(pd.Series(codes, index=needed), words, run)
        labels.append(label_of[codes])
    return pd.Series(labels, index=frame.index, dtype="object")


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
    family = "lost" if name in COMPLEMENTS else name
    return words.say(f"counts.{family}", place=words.in_region(row["group"]))


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
    "evidence": "evidence", "actor": "actor", "status": "status", "why": "why", "outside": "covariate_level",
    "indicator": "indicator",
    "place_kind": "place_kind", "unit": "unit", "source": "source", "process_step": "step",
    "when": "path.window", "need": "need", "exit_reason": "exit_reason", "organisation_type": "organisation_type",
    "part": "period_part", "change": "period_change",
}  # fmt: skip
# Column → the other columns that its label depends on, and the function that makes it.
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


# ----------------------------------------------------------------------------------------------------
# The indicators of the regions in one table, for a dashboard: a row an indicator, a place and a horizon or year.
#
# They are numbers of the published tables only, each with its unit, its limits, its status and the reason for it, and
# its definition (lever 3.4 of the Plan d'action: follow what becomes of those who settle en région).

NAME = "indicators"
INDICATOR_COLUMNS = (
    "indicator", "group", "place_kind", "cutoff", "fiscal_year", "horizon", "value", "lower", "upper", "unit", "status",
    "why", "known", "definition", "source",
)  # fmt: skip
PROPORTION, MONTHS, PERSONS, HOUSEHOLDS, MOVES = "proportion", "months", "persons", "households", "moves_per_person"
UNITS = {
    "retention": PROPORTION, "retention_drawn": PROPORTION, "exit_metropole": PROPORTION,
    "exit_other_region": PROPORTION, "exit_outside_quebec": PROPORTION, "mean_months": MONTHS,
    "moves_per_person": MOVES, "settled_for_good": PROPORTION, "persons_settled": PERSONS,
    "households_settled": HOUSEHOLDS, "households_settled_year": HOUSEHOLDS, "households_target": HOUSEHOLDS,
    "target_reached": PROPORTION, "persons_present": PERSONS,
}  # fmt: skip


def indicators(sheets: Mapping[str, Sheet], counts: Protected | None, words: Words, run: Run) -> Sheet:
    """
    The indicators of every place, from the sheets that there are.

    Parameters
    ----------
    sheets : mapping of str to Sheet
        The result of `labelled` for each table that the study has.
    counts : Protected, optional
        For targets: the counts by fiscal year.
    words : Words
    run : Run
    """
    parts = [rows for name in _MAKERS if name in sheets for rows in _MAKERS[name](sheets[name].rows)]
    if counts is not None:
        parts += _targets(counts, run)
    # as objects: a column that is all missing in a part has no type there
    frame = pd.concat([part.reindex(columns=INDICATOR_COLUMNS).astype("object") for part in parts], ignore_index=True)
    numbers = ["horizon", "value", "lower", "upper"]
    frame[numbers] = frame[numbers].astype("Float64")
    frame["unit"] = frame["indicator"].map(UNITS)
    frame["source"] = "synthetic" if run.synthetic else "deposits"
    frame["cutoff"] = run.cutoff.isoformat()
    frame["place_kind"] = frame["group"].map(_place_kind)
    frame["definition"] = frame["indicator"].map({name: words.say(f"defined.{name}") for name in UNITS})
    order = pd.DataFrame(
        {
            "indicator": frame["indicator"].map(list(UNITS).index),
            "place": frame["group"].eq(PROVINCE),
            "group": frame["group"],
            "fiscal_year": frame["fiscal_year"].fillna(""),
            "horizon": frame["horizon"],
        }
    )
    frame = frame.loc[order.sort_values(list(order), kind="stable").index]
    return sheet(NAME, frame.astype({"horizon": "Int64"}), words, run)


def _place_kind(group: str) -> str:
    return "province" if group == PROVINCE else "region" if group in REGION_CODES else "group"


def _rates(name: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Estimate and limits; where a range is published instead, its ends."""
    ranged = rows["status"].eq(RANGE)
    low, high = (
        rows[end].where(ranged, rows[limit]) if end in rows else rows[limit]
        for end, limit in (("at_least", "lower"), ("at_most", "upper"))
    )
    return rows.assign(indicator=name, value=rows["estimate"], lower=low, upper=high)


def _retention(rows: pd.DataFrame) -> list[pd.DataFrame]:
    return [_rates("retention", rows[rows["method"].eq("main")])]


def _shrunken(rows: pd.DataFrame) -> list[pd.DataFrame]:
    """Shrunken rates, where the rate is published exactly; ranges are in the indicator of the rate itself."""
    shrunken = {"shrunken": "value", "shrunken_lower": "lower", "shrunken_upper": "upper"}
    rates = rows.drop(columns=["lower", "upper"]).rename(columns=shrunken)
    ranged = rates["status"].eq(RANGE)
    rates = rates.assign(status=rates["status"].where(~ranged, HIDDEN), why=rates["why"].where(~ranged, HIDDEN))
    return [rates.assign(indicator="retention_drawn")]


def _exits(rows: pd.DataFrame) -> list[pd.DataFrame]:
    return [_rates(f"exit_{cause}", part) for cause, part in rows.groupby("cause", sort=False)]


def _bracket(name: str, rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(indicator=name, value=float("nan"), lower=rows["at_least"], upper=rows["at_most"])


def _present(rows: pd.DataFrame) -> list[pd.DataFrame]:
    """On the last day of the data."""
    return [_bracket("persons_present", rows[rows["month"].eq(rows["month"].max())])]


def _settled(rows: pd.DataFrame) -> list[pd.DataFrame]:
    stays = rows[rows["table"].eq("stays")]
    parts = [stays.assign(indicator=f"{unit}_settled", value=stays[unit]) for unit in (PERSONS, HOUSEHOLDS)]
    years = rows[rows["table"].eq("fiscal_year")]
    parts += [years.assign(indicator="households_settled_year", value=years[HOUSEHOLDS], fiscal_year=years["key"])]
    return [_hidden_where_missing(part) for part in parts]


def _hidden_where_missing(rows: pd.DataFrame) -> pd.DataFrame:
    missing = rows["value"].isna()
    return rows.assign(status=rows["status"].where(~missing, HIDDEN), why=rows["why"].where(~missing, HIDDEN))


_MAKERS = {
    "retention": _retention,
    "drawn": _shrunken,
    "exits": _exits,
    "restricted_time": lambda rows: [_rates("mean_months", rows)],
    "moves_per_person": lambda rows: [_bracket("moves_per_person", rows)],
    "settled": lambda rows: [_rates("settled_for_good", rows)],
    "counts": _settled,
    "stock": _present,
}


def _targets(counts: Protected, run: Run) -> list[pd.DataFrame]:
    """The target of each place and year that has one, and the share reached where that is published."""
    targets = beside_targets(counts, Study(targets=run.targets, groups=run.groups))
    targets = targets[targets["target"].gt(0).fillna(False)].assign(status=PUBLISHED, why=None)
    reached = targets["reached_percent"].astype("Float64") / 100
    return [
        targets.assign(indicator="households_target", value=targets["target"]),
        _hidden_where_missing(targets.assign(indicator="target_reached", value=reached)),
    ]


# ----------------------------------------------------------------------------------------------------

FOLDER = "donnees"
WORKBOOK, DICTIONARY = "trajectoires.xlsx", "dictionary"
# Files of these kinds are removed where a run no longer makes them.
ENDINGS = (".csv", ".xlsx")
_WIDEST, _NARROWEST = 60, 9
# Decimals of all exported numbers, at most.
DECIMALS = 4
# Separator of cells and decimal mark, as Excel has them in that language.
_MARKS = {"fr": (";", ","), "en": (",", ".")}


def write_exports(
    tables: Mapping[str, Protected], words: Words, run: Run, folder: Path, within: Path | None = None
) -> list[str]:
    """
    Write the files of `exported`, with scratch files in `within`, and remove those that only an earlier run made.

    Returns
    -------
    list of str
        The names: the workbook, the indicators, the dictionary, then the tables.

    Raises
    ------
    DisclosureError, TableError
        As `exported`; nothing is written then.
    """
    files = exported(tables, words, run)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        with replaced(folder / name, within) as scratch:
            scratch.write_bytes(content)
    for path in folder.iterdir():
        # a run that was killed leaves a hidden scratch file, of a workbook too
        if path.name not in files and (path.suffix in ENDINGS or path.name.startswith(".")):
            path.unlink()
    return list(files)


def exported(tables: Mapping[str, Protected], words: Words, run: Run) -> dict[str, bytes]:
    """
    The files, by name.

    Parameters
    ----------
    tables : mapping of str to Protected
        As `report.run.shown_tables` returns them.
    words : Words
    run : Run

    Raises
    ------
    DisclosureError
        A table did not pass through `protect`.
    TableError
        A table or a column that is not in `COLUMNS`, or that has no words.
    """
    by_name = {name: labelled(name, table, words, run) for name, table in tables.items()}
    sheets = [
        indicators(by_name, tables.get("counts"), words, run),
        *(by_name[name] for name in COLUMNS if name in by_name),
    ]
    dictionary = _dictionary(sheets, words, run)
    rules = next(iter(tables.values())).rules
    about = list(_reading(sheets, words, run, rules))
    first = [sheets[0], dictionary]
    book = _workbook(words.say("sheet.reading"), about, [*sheets, dictionary])
    return {WORKBOOK: book, **{_file(one): _csv(one, words.language) for one in (*first, *sheets[1:])}}


def _file(sheet: Sheet) -> str:
    return f"{slug(words_of(FIRST).say(f'sheet.{sheet.name}'))}.csv"


def _dictionary(sheets: list[Sheet], words: Words, run: Run) -> Sheet:
    """Every column of every file: its header, its code, its kind and its meaning."""
    names = ["file", "sheet", "row", "column", "variable", "kind", "meaning"]
    itself = sheet(DICTIONARY, pd.DataFrame(columns=names), words, run)
    rows = [
        (_file(s), s.title, s.row_meaning, c.header, c.name, words.say(f"kind.{c.kind}"), c.meaning)
        for s in (*sheets, itself)
        for c in s.columns
    ]
    return sheet(DICTIONARY, pd.DataFrame(rows, columns=names), words, run)


def _reading(sheets: list[Sheet], words: Words, run: Run, rules) -> Iterator[tuple[str, str]]:
    """The lines of the reading sheet: subject and explanation."""
    say = words.say
    yield say("reading.title"), say("opening.series", programme=say("opening.programme"))
    if run.synthetic:
        yield say("page.synthetic"), say("reading.synthetic")
    yield say("reading.what"), say("reading.what_said")
    yield say("facts.cutoff"), words.date(run.cutoff)
    yield say("facts.perimeter"), words.label("perimeter", run.perimeter)
    yield say("facts.scope"), words.label("scope", run.scope)
    yield say("facts.pathway"), words.label("pathway", run.pathway or "all")
    values = {"threshold": rules.threshold, "households": rules.households, "base": words.bases(rules)}
    yield say("facts.rules"), say("facts.rules_said", **values, denominator=rules.rate_denominator)
    for status in STATUSES:
        yield words.label("status", status), say(f"status_means.{status}")
    for subject in ("proportions", "codes", "places", "cause"):
        yield say(f"reading.{subject}"), say(f"reading.{subject}_said")
    yield say("facts.version"), run.version
    for sheet in sheets:
        yield sheet.title, sheet.row_meaning


def _csv(sheet: Sheet, language: str) -> bytes:
    between, point = _MARKS[language]
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=between, lineterminator="\r\n")
    writer.writerow([column.header for column in sheet.columns])
    writer.writerows([[_as_text(cell, point) for cell in row] for row in _cells(sheet)])
    return buffer.getvalue().encode("utf-8-sig")


def _as_text(cell: object, point: str) -> str:
    if isinstance(cell, dt.date):
        return cell.isoformat()
    return _decimal(cell, point) if isinstance(cell, float) else "" if cell is None else str(cell)


def _decimal(number: float, point: str) -> str:
    """A number with the decimal mark of the language and no more digits than it has."""
    return f"{number:.6f}".rstrip("0").rstrip(".").replace(".", point)


def _cells(sheet: Sheet) -> Iterator[list[object]]:
    """The rows as plain values: text that no spreadsheet takes for a formula, int, float, date, or None."""
    rows = harmless(sheet.rows)
    by_column = [_plain(rows[name], column.kind) for name, column in zip(rows, sheet.columns, strict=True)]
    return map(list, zip(*by_column, strict=True))


def _plain(values: pd.Series, kind: str) -> list[object]:
    if kind == "date":
        return [None if pd.isna(value) else value.date() for value in values]
    if kind == "text":
        return [None if pd.isna(value) else str(value) for value in values]
    numbers = pd.to_numeric(values).astype("Float64")
    # infinity means « up to the end », and is left empty
    numbers = numbers.mask(numbers.isin([float("inf"), float("-inf")]))
    return [None if pd.isna(n) else int(n) if float(n).is_integer() else round(float(n), DECIMALS) for n in numbers]


def _workbook(title: str, about: list[tuple[str, str]], sheets: list[Sheet]) -> bytes:
    import xlsxwriter

    buffer = io.BytesIO()
    # no text of ours is a number, a formula or an address, even if it looks like one
    plain = {"strings_to_numbers": False, "strings_to_formulas": False, "strings_to_urls": False}
    book = xlsxwriter.Workbook(buffer, {"in_memory": True, **plain})
    # a workbook has a date of its own: any fixed one
    book.set_properties({"created": dt.datetime(2018, 4, 1), "author": ""})
    bold, wrapped = book.add_format({"bold": True, "valign": "top"}), book.add_format({"text_wrap": True})
    head = book.add_format({"bold": True, "text_wrap": True, "valign": "top", "bottom": 1})
    day = book.add_format({"num_format": "yyyy-mm-dd"})
    text = book.add_format({"num_format": "@"})
    page = book.add_worksheet(title)
    page.set_column(0, 0, 34)
    page.set_column(1, 1, 100)
    for i, (subject, sentence) in enumerate(about):
        page.write_string(i, 0, subject, bold)
        page.write_string(i, 1, sentence, wrapped)
    for sheet in sheets:
        _fill(book.add_worksheet(sheet.title), sheet, head, day, text)
    book.close()
    return buffer.getvalue()


def _fill(page, sheet: Sheet, head, day, text) -> None:
    """One sheet: a frozen header with filters, codes as text, numbers as numbers."""
    rows = list(_cells(sheet))
    for j, column in enumerate(sheet.columns):
        page.write_string(0, j, column.header, head)
        longest = max((len(str(row[j])) for row in rows if row[j] is not None), default=0)
        page.set_column(j, j, min(max(longest, len(column.header) // 2, _NARROWEST) + 2, _WIDEST))
    for i, row in enumerate(rows, start=1):
        for j, cell in enumerate(row):
            if isinstance(cell, dt.date):
                page.write_datetime(i, j, dt.datetime(cell.year, cell.month, cell.day), day)
            elif isinstance(cell, str):
                page.write_string(i, j, cell, text)
            elif cell is not None:
                page.write_number(i, j, cell)
    page.freeze_panes(1, 0)
    page.autofilter(0, 0, len(rows), len(sheet.columns) - 1)
