"""How a protected number is read aloud, and the lights that say how good the data behind it are."""

from __future__ import annotations

import math

import pandas as pd
from markupsafe import Markup

from ..analysis.quality import GOOD, MEND, UNMEASURED, WATCH
from ..tables import SUPPORTS
from .inputs import Report, frame_of
from .markup import element, join
from .words import FIRST, Words

# ----------------------------------------------------------------------------------------------------
# A traffic light: a shape, a word and a colour, each enough without the other two.

# Filled shapes with different outlines, which are distinct in grey and at the size of a letter.
_SHAPES = {
    GOOD: "\N{BLACK CIRCLE}",
    WATCH: "\N{BLACK UP-POINTING TRIANGLE}",
    MEND: "\N{BLACK SQUARE}",
    UNMEASURED: "\N{WHITE CIRCLE}",
}


def light(level: str, words: Words) -> Markup:
    """
    The mark of a level: a shape, which a screen reader skips, and the word, which it reads.

    Parameters
    ----------
    level : str
        One of `quality.levels.LEVELS`.
    words : Words

    Examples
    --------
    >>> from trajectories.report.words import words
    >>> light("watch", words("en"))
    Markup('<span class="light watch"><span aria-hidden="true">▲</span> To watch</span>')
    """
    shape = element("span", _SHAPES[level], aria_hidden="true")
    return element("span", shape, " ", words.say(f"light.{level}"), class_=f"light {level}")


# ----------------------------------------------------------------------------------------------------
# How a protected number is read aloud: a rate, the range that stands for it, or why there is neither.
#
# A hidden number is never an empty cell: « masqué » where it is too small or would give another one away, « suivi
# insuffisant » where nothing carries the curve that far. What hearsay alone carries bears a mark, and a note under it.

HEADLINE_HORIZON = 12
TOO_SHORT = ("insufficient", "at_risk")
_, HEARSAY, _ = SUPPORTS


def series(words: Words) -> Markup:
    """The line above a title; the programme has a French name only, which is marked where the page is not French."""
    name = element("span", words.say("opening.programme"), lang=None if words.language == FIRST else "fr-CA")
    return Markup(words.say("opening.series")).format(programme=name)  # noqa: S704 - the catalogue is ours


def state_of(report: Report) -> str:
    """`estimated` (a rate or a range may be shown), `too_small`, `insufficient` (too little follow-up) or `nobody`."""
    counts = frame_of(report.counts)
    total = counts[(counts["table"] == "stays") & (counts["key"] == "total")]["persons"]
    if (total == 0).fillna(False).any() or (total.empty and frame_of(report.retention).empty):
        return "nobody"
    if headline_row(report) is not None:
        return "estimated"
    rates = frame_of(report.retention)
    reasons = set(rates.loc[rates["method"] == "main", "reason"])
    return "insufficient" if reasons <= set(TOO_SHORT) else "too_small"


def suppressed(report: Report) -> bool:
    """Whether a page says only why it has no number: nobody settled there, or too few for anything to be told."""
    state = state_of(report)
    if state != "too_small":
        return state == "nobody"
    counts = frame_of(report.counts)
    total = counts.loc[counts["table"].eq("stays") & counts["key"].eq("total"), "persons"]
    # of more persons than that the rate is hidden because it would reveal that of a smaller region
    return not total.ge(report.rules.rate_denominator).fillna(False).any()


def headline_row(report: Report) -> pd.Series | None:
    """The main rate or range at twelve months, or at the nearest horizon before it (else after) that may be shown."""
    rates = frame_of(report.retention)
    shown = rates[(rates["method"] == "main") & published(rates)].sort_values("horizon")
    if shown.empty:
        return None
    before = shown[shown["horizon"] <= HEADLINE_HORIZON]
    return (before.iloc[-1] if len(before) else shown.iloc[0]).copy()


def rate_text(row: pd.Series, words: Words) -> str:
    """A rate; else the range published instead; else why there is neither."""
    if pd.notna(row["estimate"]):
        return words.percent(row["estimate"])
    if pd.notna(row["at_most"]):
        if pd.isna(row["at_least"]):
            return words.say("at_most", upper=words.percent(row["at_most"]))
        return words.say("between", lower=words.percent(row["at_least"]), upper=words.percent(row["at_most"]))
    return words.say("insufficient" if too_short(row) else "hidden")


def spread(words: Words, low: object, high: object) -> str:
    """From where to where, in words; one number where both are the same."""
    return str(low) if low == high else words.say("spread", low=low, high=high)


def limits_text(row: pd.Series, words: Words) -> str:
    """The limits of a rate, where it is shown."""
    if pd.isna(row["estimate"]) or pd.isna(row["lower"]):
        return words.number(None)
    return words.say("from_to", lower=words.percent(row["lower"]), upper=words.percent(row["upper"]))


def with_limits(row: pd.Series, words: Words, *, hearsay: bool = False) -> Markup:
    """A rate, its mark where it rests on hearsay, and its limits under it where it has some."""
    rate = marked(rate_text(row, words), hearsay, words)
    has_limits = pd.notna(row["estimate"]) and pd.notna(row["lower"])
    return join(rate, element("span", limits_text(row, words), class_="limits") if has_limits else None)


def range_text(row: pd.Series, words: Words) -> str:
    """The range of a rate over the other assumptions, where it is shown."""
    if pd.isna(row["range_lower"]) or pd.isna(row["range_upper"]):
        return words.number(None)
    return words.say("from_to", lower=words.percent(row["range_lower"]), upper=words.percent(row["range_upper"]))


def by_hearsay(rates: pd.DataFrame) -> pd.Series:
    """Which rows are published and rest on hearsay, not on confirmed presences."""
    return published(rates) & rates["known"].eq(HEARSAY)


def marked(text: object, hearsay: bool, words: Words) -> Markup:
    """A text, with the mark of hearsay where the number rests on that."""
    return join(text, element("sup", words.say("hearsay.mark")) if hearsay else None)


def notes(words: Words, *keys: str, hearsay: bool) -> Markup:
    """The notes under a table, and, where it has marks of hearsay, the note of the mark on a line of its own."""
    sentences = [words.say(key) for key in keys]
    if hearsay:
        sentences += [element("br")] * bool(keys) + [words.say("hearsay.note")]
    return Markup(" ").join(sentences)


def published(rates: pd.DataFrame) -> pd.Series:
    """Which rows are published, as a rate or as a range."""
    return rates["estimate"].notna() | rates["at_most"].notna()


def too_short(row: pd.Series) -> bool:
    """Whether a number is missing because follow-up does not reach that far."""
    return row["reason"] in TOO_SHORT


def times_text(weight: float, words: Words) -> str:
    """A weight (log2) in a sentence: « 1 000 fois plus », « 4 fois moins »."""
    if weight == 0:
        return words.say("times.same")
    return words.say("times.more" if weight > 0 else "times.less", n=_two_digits(2.0 ** abs(weight), words))


def factor_text(weight: float, words: Words) -> str:
    """A weight (log2) in a table or on a scale: « × 1 000 », « ÷ 4 »."""
    if weight == 0:
        return words.say("factor.same")
    return words.say("factor.more" if weight > 0 else "factor.less", n=_two_digits(2.0 ** abs(weight), words))


def _two_digits(times: float, words: Words) -> str:
    rounded = round(times, 1 - math.floor(math.log10(times)))
    return words.number(rounded, 1 if rounded < 10 and rounded % 1 else 0)


def level_name(term: str, level: object, words: Words) -> str:
    """The name of a level of a covariate: its own, or one that all covariates share (yes, no)."""
    return words.label("covariate_level", f"{term}.{level}" if words.has(f"covariate_level.{term}.{level}") else level)


def origin_name(key: str, words: Words) -> str:
    """Where somebody came from: outside Québec, a place not known, else a region."""
    return words.say(f"origin.{key}") if words.has(f"origin.{key}") else words.region(key)


def type_name(code: str, words: Words) -> str:
    """The name of a type in words: « stays », « onward_month_20 » (of two that leave alike), « onward_2 »."""
    rule, _, rest = code.partition("_month_")
    if rest.isdigit():
        return words.say("figure.types.at", name=words.label("type", rule), month=words.number(int(rest)))
    rule, _, number = code.rpartition("_")
    if number.isdigit():
        return words.say("figure.types.numbered", name=type_name(rule, words), n=number)
    return words.label("type", code)


def level_text(row: pd.Series, words: Words) -> str:
    """A trait and one of its levels of agreement: « Sexe : même »."""
    level = words.label("level", f"{row['trait']}.{row['level']}")
    return words.say("level.of_trait", trait=words.label("trait", row["trait"]), level=level)
