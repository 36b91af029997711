"""Results as a notebook shows them: a title, a line of facts, tables.

Headers are the column names of the code, for further work; titles, facts and headers of counts made here are words of
the reports. The numbers of a column have the same decimals, at most three; the exact ones are in the tables themselves
(`to_frame`).
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from .markup import element, join
from .words import MISSING, Words, words

# ----------------------------------------------------------------------------------------------------
# The red band of unprotected tables and figures, on HTML and in pictures.

RED, WHITE = "#b00020", "#ffffff"  # contrast 7.3 : 1


def band_text() -> str:
    """« données non protégées, ne pas diffuser »"""
    return words("fr").say("notebook.band")


def banded(html: str) -> Markup:
    """
    HTML below the band.

    Examples
    --------
    >>> str(banded("<table></table>"))
    '<p lang="fr" style="...">données non protégées, ne pas diffuser</p><table></table>'
    """
    style = f"background-color: {RED}; color: {WHITE}; font-weight: bold; padding: 6px 12px; margin: 0 0 6px 0"
    return join(element("p", band_text(), lang="fr", style=style), Markup(html))  # noqa: S704 - html is markup


def picture(figure: Any, band: bool = True) -> tuple[str, str | None]:
    """
    A matplotlib figure with the band drawn across its top, so that a copy out of a notebook has it, too.

    Returns
    -------
    (str, str or None)
        Text, and an HTML image whose alternative text says the same; None for a figure on which nothing is drawn.
    """
    plain = f"{band_text()}\n{figure!r}" if band else repr(figure)
    if not (figure.axes or figure.lines or figure.texts):
        return plain, None
    if not band:
        return plain, _image(figure, _titles(figure))
    # above a title, which may be beyond the figure's own edge
    above = (max(figure.get_tightbbox().y1, figure.get_figheight()) + 8 / 72) / figure.get_figheight()
    band_across = figure.text(
        0.5,
        above,
        f" {band_text()} ",
        ha="center",
        va="bottom",
        color=WHITE,
        weight="bold",
        bbox={"facecolor": RED, "edgecolor": "none", "boxstyle": "square,pad=0.5"},
    )
    try:
        return plain, _image(figure, [band_text(), *_titles(figure)])
    finally:
        band_across.remove()


def _titles(figure: Any) -> list[str]:
    titles = [axes.get_title(loc) for axes in figure.axes for loc in ("left", "center", "right")]
    titles = [figure.get_suptitle(), *titles]
    axes = [text for ax in figure.axes[:1] for text in (ax.get_ylabel(), ax.get_xlabel())]
    return [*filter(None, titles)] or [*filter(None, axes)]


def _image(figure: Any, titles: list[str]) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", bbox_inches="tight")
    alt = ". ".join(titles)
    source = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
    return str(element("img", alt=alt, src=source))


# ----------------------------------------------------------------------------------------------------

# Rows of a table that are shown; a longer one is cut, with a note.
MOST_ROWS = 20
DECIMALS = 3
SMALLEST_P = 0.001
_CONTEXT = ("perimeter", "scope", "pathway", "group", "measure", "method", "reporting")
_P_VALUES = ("p_value", "adjusted_p")
_CAPTION = "caption-side: top; text-align: left; font-weight: bold"
YEARS = (12, 24, 36, 48, 60)
# The facts shown above the tables of a result, and which of its tables are shown.
_FACTS = {
    "CoxFit": ("n", "n_event", "log_likelihood"),
    "CureFit": ("distribution", "n_persons", "n_exits", "share", "lower", "upper", "supported", "note"),
    "DiscreteFit": ("n_months", "n_events", "log_likelihood"),
    "FineGrayFit": ("n", "n_event", "log_likelihood"),
    "IntervalCurve": ("n_same_month", "converged", "log_likelihood"),
    "ObservedCurve": ("n_same_month", "log_likelihood"),
    "PanelFit": ("persons", "seen_once", "log_likelihood"),
    "Protected": ("kind",),
    "Residences": ("perimeter", "cutoff"),
    "TestResult": ("statistic", "df", "p_value"),
}
_TABLES = {
    "CoxFit": ("table", "tests"),
    "CureFit": ("table",),
    "DiscreteFit": ("table", "baseline"),
    "FineGrayFit": ("table", "tests"),
    "Models": ("fits",),
    "PanelFit": ("rates",),
    "TestResult": ("table",),
}


def html_of(result: Any) -> str:
    """
    A result (one of `display.RESULTS`) as HTML, without band.

    Examples
    --------
    >>> from trajectories.survival import logrank_test
    >>> html_of(logrank_test([1, 2, 3, 4], [1, 1, 1, 1], ["a", "a", "b", "<b>"])).count("&lt;b&gt;")
    1
    """
    w, name = words("fr"), type(result).__name__
    facts = [
        w.say("notebook.fact", name=w.label("result_fact", fact), value=_fact(fact, getattr(result, fact), w))
        for fact in _FACTS.get(name, ())
        if getattr(result, fact) != ""
    ]
    if name == "Protected":
        facts += [w.say("notebook.fact", name=key, value=value) for key, value in _context(result).items()]
    tables = _COUNTED[name](result, w) if name in _COUNTED else {t: getattr(result, t) for t in _TABLES[name]}
    return str(
        element(
            "div",
            element("p", element("strong", w.label("result", name)), lang="fr"),
            element("p", " · ".join(facts), lang="fr") if facts else None,
            *(table_html(table, w, caption if len(tables) > 1 else None) for caption, table in tables.items()),
            *(element("p", note) for note in getattr(result, "notes", ())),
        )
    )


def table_html(table: pd.DataFrame, w: Words, caption: str | None = None, most: int = MOST_ROWS) -> Markup:
    """A table with header cells; cut after `most` rows, with a note."""
    shown = table.head(most)
    cells = [_column(table[name], w)[:most] for name in shown.columns]
    numbers = [_is_number(shown[name]) for name in shown.columns]
    head = [
        element("th", *_breaking(name), scope="col", style=_align(n, "normal"))
        for name, n in zip(shown.columns, numbers, strict=True)
    ]
    body = []
    for row in zip(*cells, strict=True):
        first = element("th", row[0], scope="row", style=_align(numbers[0]))
        rest = [element("td", cell, style=_align(n)) for cell, n in zip(row[1:], numbers[1:], strict=True)]
        body.append(element("tr", first, *rest))
    left = len(table) - len(shown)
    return join(
        element(
            "table",
            element("caption", caption, style=_CAPTION) if caption else None,
            element("thead", element("tr", *head)),
            element("tbody", *body),
        ),
        element("p", w.say_many("notebook.more_rows", left), lang="fr") if left else None,
    )


def _align(number: bool, spaces: str = "nowrap") -> str:
    return f"text-align: {'right' if number else 'left'}; white-space: {spaces}"


def _breaking(name: object) -> list[str]:
    """A header that may break after its underscores where space is short; a copy of it has no breaks."""
    parts = str(name).split("_")
    return [part for word in parts[:-1] for part in (f"{word}_", element("wbr"))] + parts[-1:]


def _column(values: pd.Series, w: Words) -> list[str]:
    """The cells of a column: numbers with the same decimals, a dash where missing, other values as they are."""
    if not _is_number(values):
        return [MISSING if value is None or value is pd.NaT or value != value else _plain(value) for value in values]
    numbers = values.astype("float64")
    p = values.name in _P_VALUES
    decimals = DECIMALS if p else _decimals(numbers[np.isfinite(numbers)].to_numpy())
    texts = [_number(value, decimals, w) for value in numbers]
    if not p:
        return texts
    return [
        f"< {w.number(SMALLEST_P, DECIMALS)}" if value < SMALLEST_P else text
        for value, text in zip(numbers, texts, strict=True)
    ]


def _is_number(values: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)


def _plain(value: object) -> str:
    return value.date().isoformat() if isinstance(value, pd.Timestamp) else str(value)


def _decimals(numbers: np.ndarray) -> int:
    """Three, one less for each digit beyond the first before the point, and no more than the numbers need."""
    most = max(DECIMALS - len(str(int(np.abs(numbers).max(initial=0)))) + 1, 0)
    return next((n for n in range(most) if np.allclose(numbers, np.round(numbers, n), rtol=0, atol=1e-9)), most)


def _number(value: float, decimals: int, w: Words) -> str:
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value and abs(value) < 0.5 * 10**-decimals:  # rounds to 0 but is not
        return ("< " if value > 0 else "> −") + w.number(10**-decimals, decimals)
    return w.signed(value, decimals).removeprefix("+")


def _fact(fact: str, value: Any, w: Words) -> str:
    if isinstance(value, bool | np.bool_):
        return w.say("notebook.yes") if value else w.say("notebook.no")
    if isinstance(value, pd.Timestamp):
        return w.date(value.date())
    if isinstance(value, int | float | np.number):
        name = "p_value" if fact == "p_value" else ""
        return _column(pd.Series([value], name=name), w)[0]
    return w.label("result_note", value)


# ── results whose rows are persons: counts are shown instead ──────────────────────────────────────────────────
def _tables(tables: Any, w: Words) -> dict[str, pd.DataFrame]:
    frames = {name: getattr(tables, name) for name in tables.__dataclass_fields__}
    rows = [(name, len(table), table.shape[1]) for name, table in frames.items()]
    return {"": pd.DataFrame(rows, columns=[w.say("notebook.column.table"), *_heads(w, "rows", "columns")])}


def _cohort(result: Any, w: Words) -> dict[str, pd.DataFrame]:
    stays = result.cohort.assign(
        kept=result.cohort["excluded"].isna(), left=result.cohort["exit"].notna(), lost=result.cohort["lost"].notna()
    )
    by = stays.groupby("pathway", observed=True, sort=False).agg(
        n=("kept", "size"),
        households=("household_id", "nunique"),
        kept=("kept", "sum"),
        left=("left", "sum"),
        lost=("lost", "sum"),
    )
    by = by.sort_values("n", ascending=False).rename(index=lambda code: w.label("pathway", code)).reset_index()
    by.columns = _heads(w, "pathway", "stays", "households", "kept", "left", "lost")
    kinds = result.contacts["kind"].value_counts().reset_index()
    kinds["kind"] = [w.label("result_contact", kind) for kind in kinds["kind"]]
    kinds.columns = _heads(w, "contact", "number")
    return {w.say("notebook.stays"): by, w.say("notebook.contacts"): kinds}


def _residences(residences: Any, w: Words) -> dict[str, pd.DataFrame]:
    names = ("observations", "spells", "moves", "conflicts")
    counts = pd.DataFrame([(name, len(getattr(residences, name))) for name in names])
    counts.columns = [w.say("notebook.column.table"), w.say("notebook.column.rows")]
    return {w.say("notebook.tables"): counts, w.say("notebook.moves"): move_counts(residences.moves, w)}


def move_counts(moves: pd.DataFrame, w: Words) -> pd.DataFrame:
    """Moves by kind, the most frequent first."""
    kinds = moves["kind"].value_counts().reset_index()
    kinds["kind"] = [w.label("result_move", kind) for kind in kinds["kind"]]
    kinds.columns = _heads(w, "move", "number")
    return kinds


def row_counts(deposits: Any, w: Words) -> pd.DataFrame:
    """The rows read, by what became of them, in the order of `fates`."""
    total = deposits.accounting().iloc[-1]
    fates = ("n_read", "n_accepted", "n_quarantined", "n_superseded", "n_duplicate")
    rows = [(w.label("result_fate", fate), int(total[fate])) for fate in fates]
    return pd.DataFrame(rows, columns=_heads(w, "fate", "rows"))


def _deposits(deposits: Any, w: Words) -> dict[str, pd.DataFrame]:
    reasons = pd.concat([deposits.quarantine["reason"], deposits.issues["reason"]]).value_counts().reset_index()
    reasons.columns = _heads(w, "reason", "number")
    return {w.say("notebook.rows"): row_counts(deposits, w), w.say("notebook.reasons"): reasons}


def _protected(protected: Any, w: Words) -> dict[str, pd.DataFrame]:
    """Without empty columns, and without those that are the same in all rows and shown above."""
    return {"": protected.frame.dropna(axis="columns", how="all").drop(columns=[*_context(protected)])}


def _context(protected: Any) -> dict[str, str]:
    """The columns with one value in all rows of a protected table: perimeter, scope, method …"""
    frame = protected.frame
    shared = [name for name in _CONTEXT if name in frame and frame[name].nunique(dropna=False) == 1]
    values = frame[shared].iloc[0].dropna() if len(frame) > 1 else {}
    return {name: str(value) for name, value in values.items()}


def _typology(typology: Any, w: Words) -> dict[str, pd.DataFrame]:
    columns = ["type", "name", "n_persons", "share", "lower", "upper", "representative", "silhouette", "recovered"]
    return {"": typology.types[columns]}


def _curve(curve: Any, w: Words) -> dict[str, pd.DataFrame]:
    """The rows of whole years."""
    years = curve.table[curve.table["month"].isin(YEARS)]
    columns = [name for name in years.columns if name not in ("percentile_lower", "percentile_upper")]
    return {w.say("notebook.years"): (years if len(years) else curve.table)[columns]}


def _observed(curve: Any, w: Words) -> dict[str, pd.DataFrame]:
    return {**_curve(curve, w), w.say("notebook.failure"): curve.contact_failure}


_COUNTED: dict[str, Callable[[Any, Words], dict[str, pd.DataFrame]]] = {
    "Cohort": _cohort,
    "Deposits": _deposits,
    "IntervalCurve": _curve,
    "ObservedCurve": _observed,
    "Protected": _protected,
    "Residences": _residences,
    "Tables": _tables,
    "Typology": _typology,
}


def _heads(w: Words, *names: str) -> list[str]:
    return [w.label("notebook.column", name) for name in names]
