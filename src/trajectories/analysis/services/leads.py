"""Improvement leads: what the rules found, in one order, a few for each place.

A lead is a place to look, with a figure, how sure it is, what would check it and what it may be instead. Where no rule
holds there is no lead; that is an answer as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from ...study import METROPOLITAN_REGIONS, REGION_CODES
from ...tables import PROVINCE
from ..models import benjamini_hochberg
from .expected import OBSERVED_EXPECTED, TRANSFERS_EXPECTED
from .gaps import COVERAGE
from .service_events import ALL_STREAMS, ANY_SERVICE, TOO_FEW
from .use import AFTER

# ----------------------------------------------------------------------------------------------------
# A group's share against that of the rest of the province, found again from the group and the whole.


def against_the_rest(table: pd.DataFrame, keys: Sequence[str], counts: str | None = None) -> pd.DataFrame:
    """
    Each group that the province is made of, beside everybody else.

    Parameters
    ----------
    table : DataFrame
        group, the keys, estimate, se, n_start; rows of `province` are the whole that groups are part of.
    keys : sequence of str
        What is compared with what: rows of the same keys.
    counts : str, optional
        The column of the numerator. Then shares are compared exactly (Fisher 1922); else by their standard errors,
        which is what shares of contacts need: those of a household are alike.

    Returns
    -------
    DataFrame
        The rows of groups with a whole, with expected (the rest's share), ratio (of the shares) and p_value
        (two-sided). A group whose rest has nobody, or none of what is counted, is left out.

    Examples
    --------
    >>> table = pd.DataFrame({"group": ["province", "05"], "need": "job", "estimate": [0.3, 0.6], "se": 0.05,
    ...                       "n_start": [200, 50], "households": [60, 30]})
    >>> found = against_the_rest(table, ["need"], "households")
    >>> found[["group", "expected", "ratio", "p_value"]].round(4).values.tolist()
    [['05', 0.2, 3.0, 0.0]]
    """
    provincial = table[table["group"].eq(PROVINCE)]
    part = table[~table["group"].eq(PROVINCE)].merge(
        provincial[[*keys, "estimate", "se", "n_start", *([counts] if counts else [])]],
        on=list(keys),
        suffixes=("", "_whole"),
    )
    n, of = (part[name].astype(float) for name in ("n_start", "n_start_whole"))
    part = part[n < of].reset_index(drop=True)
    n, of = (part[name].astype(float).to_numpy() for name in ("n_start", "n_start_whole"))
    inside = n / of
    rest_rate = (part["estimate_whole"] - inside * part["estimate"]) / (1 - inside)
    if counts:
        hit, hits = (part[name].astype(float).to_numpy() for name in (counts, f"{counts}_whole"))
        rest_rate = pd.Series(np.maximum(hits - hit, 0) / (of - n))
        p_value = _exact(hit, n, np.maximum(hits - hit, 0), of - n)
    else:
        own_se, whole_se = part["se"].astype(float), part["se_whole"].astype(float)
        spread = np.sqrt(np.maximum(whole_se**2 - (inside * own_se) ** 2, 0)) / (1 - inside)
        p_value = _normal((part["estimate"] - rest_rate) / np.hypot(own_se, spread))
    part = part.assign(expected=rest_rate, ratio=part["estimate"] / rest_rate.where(rest_rate > 0), p_value=p_value)
    return part[part["ratio"].notna()].drop(columns=[c for c in part if c.endswith("_whole")]).reset_index(drop=True)


def _exact(hit: np.ndarray, n: np.ndarray, rest_hit: np.ndarray, rest_n: np.ndarray) -> np.ndarray:
    from scipy.stats import fisher_exact  # scipy costs half a second: not at `import trajectories`

    pairs = zip(hit, n, rest_hit, rest_n, strict=True)
    return np.array([fisher_exact([[a, b - a], [c, d - c]]).pvalue for a, b, c, d in pairs], dtype=float)


def _normal(z: pd.Series) -> np.ndarray:
    from scipy.special import ndtr

    return 2 * ndtr(-np.abs(z.to_numpy(dtype=float)))


# ----------------------------------------------------------------------------------------------------
# The rules that make leads: each looks at one table for one kind of gap, and says how strong the evidence is.
#
# `RULES` is the whole of it, in the order in which leads of equal evidence stand: along the way of a household, since
# what fails early makes the rest fail too (who was never met is not served either).
#
# Evidence of a gap, a share missed `r` times as large as the rest of the province would predict:
#
# =========  ==========================================================================================
# strong     adjusted p < .01, and r is over 1.25 by its lower limit
# moderate   adjusted p < .05, and r is 1.25 or more
# weak       adjusted p < .20, and r is over 1
# to_watch   p < .05 before adjustment, and r is over 1: of twenty groups alike one would be here
# =========  ==========================================================================================
#
# p-values are adjusted within a rule, over all groups, services, needs or months that it looks at (Benjamini &
# Hochberg 1995). Evidence of an association is by `service_goes_with_staying`.
#
# Calibration (tests/recovery/test_leads_recovery.py): of 200 provinces in which no service acts and ends are drawn,
# one had a moderate lead about an association and none a strong one (upper 95 % limit of the share: 2.8 %). Of 100 in
# which transfers to one region of a tenth of 800 households fail (some 53 % are met, elsewhere 88 %), it was the first
# lead there every time.

Tables = Mapping[str, pd.DataFrame]
STRONG, MODERATE, WEAK, TO_WATCH = EVIDENCE = ("strong", "moderate", "weak", "to_watch")
GAP, ASSOCIATION = "gap", "association"
# What a candidate says: where, of what, whom it touches, the figure beside what was expected, and how sure.
COLUMNS = (
    "group", "subject", "households", "measure", "horizon", "estimate", "se", "lower", "upper", "expected", "ratio",
    "n_start", "n_at_risk", "p_value", "adjusted_p", "evidence", "method",
)  # fmt: skip
# So much more than predicted is worth a meeting.
WORTH = 1.25
# A share unanswered that is a lead by itself, with nothing to compare it with.
HALF, THIRD = 1 / 2, 1 / 3
# What not measured would have to go with service and leaving by less than this would be no surprise.
E_VALUE = 1.5
AGREE = ("discrete", "with_services", "landmark_6")


def transfers_do_not_arrive(tables: Tables) -> pd.DataFrame:
    """
    Households prepared and told of in the metropole whom nobody of the region met within 90 days, more than predicted.

    Table `service_expected`, measure `transfers_expected` (expected.py), regions and categories. Where the metropole
    tells of a household and the region never meets it, every later service is missed as well: so this stands first.
    """
    return _above_expected(tables, TRANSFERS_EXPECTED)


def first_contact_is_late(tables: Tables) -> pd.DataFrame:
    """
    Households without any service of the region within three months of settling, more than predicted.

    Table `service_expected`, measure `observed_expected`, service `any`, 3 months.
    """
    return _above_expected(tables, OBSERVED_EXPECTED, service=ANY_SERVICE, horizon=3)


def service_reaches_few(tables: Tables) -> pd.DataFrame:
    """
    Households that a service did not reach within twelve months, more than predicted.

    Table `service_expected`, measure `observed_expected`, each service but `any`, 12 months. A service that is not
    needed reaches few as well: the caveat says so.
    """
    expected = tables.get("service_expected", pd.DataFrame())
    if not len(expected):
        return _none()
    return _above_expected(
        {"service_expected": expected[expected["service"].ne(ANY_SERVICE)]}, OBSERVED_EXPECTED, horizon=12
    )


def needs_stay_unanswered(tables: Tables) -> pd.DataFrame:
    """
    Households that told of a need and had neither found nor been given what answers it, six months later.

    Table `service_needs`. A region against the rest of the province, by the scale of this module. The province has
    nothing beside it: `strong` where the lower limit is over a half, `moderate` over a third.
    """
    needs = tables.get("service_needs", pd.DataFrame())
    needs = needs[needs["estimate"].notna()] if len(needs) else needs
    if not len(needs):
        return _none()
    beside = against_the_rest(needs, ["need", "horizon"], "households")
    regional = graded(_shaped(beside, subject="need"))
    provincial = _shaped(needs[needs["group"].eq(PROVINCE)], subject="need")
    evidence = np.select([provincial["lower"] > HALF, provincial["lower"] > THIRD], [STRONG, MODERATE], "")
    return pd.concat([regional, provincial.assign(evidence=evidence)[evidence != ""]], ignore_index=True)


def follow_up_is_missed(tables: Tables) -> pd.DataFrame:
    """
    Scheduled contacts that were due and not held, more than in the rest of the province.

    Table `service_follow_up`, measure `follow_up_coverage`, all organisations together. Of several months of the
    schedule the one with the strongest evidence. Where contacts fail, retention is also less well known.
    """
    follow_up = tables.get("service_follow_up", pd.DataFrame())
    if not len(follow_up):
        return _none()
    follow_up = follow_up[follow_up["measure"].eq(COVERAGE) & follow_up["organisation_type"].eq("all")]
    follow_up = follow_up[follow_up["estimate"].notna()]
    # the lead gives the share missed
    missed = follow_up.assign(
        estimate=1 - follow_up["estimate"], lower=1 - follow_up["upper"], upper=1 - follow_up["lower"]
    )
    missed = missed.assign(households=(missed["estimate"] * missed["n_start"].astype(float)).round())
    beside = graded(_shaped(against_the_rest(missed, ["horizon"]), subject="follow_up"))
    order = beside["evidence"].map(EVIDENCE.index)
    beside = beside.assign(_order=order).sort_values(["_order", "adjusted_p"], kind="stable")
    return beside.drop_duplicates("group").drop(columns="_order")


def leavers_were_not_served(tables: Tables) -> pd.DataFrame:
    """
    Of households that left for a reason, fewer than half had been given the service for it: `to_watch`, never more.

    Table `service_reasons`, the upper limit under a half. Nobody knows what those who stayed would have needed, nor
    whether the service would have kept anybody: it is a question to ask, not a finding.
    """
    reasons = tables.get("service_reasons", pd.DataFrame())
    reasons = reasons[reasons["estimate"].notna()] if len(reasons) else reasons
    if not len(reasons):
        return _none()
    rows = reasons[reasons["upper"] < HALF]
    leavers = _shaped(rows.assign(households=rows["n_start"] - rows["households"]), subject="reason")
    # the share without the service
    leavers = leavers.assign(estimate=1 - leavers["estimate"], lower=1 - leavers["upper"], upper=1 - leavers["lower"])
    return leavers.assign(evidence=TO_WATCH)


def service_goes_with_staying(tables: Tables) -> pd.DataFrame:
    """
    Who received a service leaves less, by methods that fail differently; and many households were not reached by it.

    Table `associations`. The three methods of `AGREE` each have a hazard ratio under 1, and the control `permuted` of
    the service, and every service of the control `before_departure`, is quiet (adjusted p of .05 or more):

    - `strong`: adjusted p < .05 by all three, and E-values of their limits of 1.5 or more;
    - `moderate`: adjusted p < .05 by the two time-varying ones, p < .05 by the landmark;
    - `weak`: adjusted p < .05 by one of them;
    - `to_watch`: adjusted p < .05 by one of them, but the methods or the controls do not agree.

    Those touched are the households that the service did not reach in the year after they settled (`service_reach`).
    """
    association_table = tables.get("associations", pd.DataFrame())
    reach = tables.get("service_reach", pd.DataFrame())
    if not len(association_table) or not len(reach):
        return _none()
    missed = reach[reach["group"].eq(PROVINCE) & reach["when"].eq(AFTER) & reach["stream"].eq(ALL_STREAMS)]
    missed = missed.set_index("service")
    by_service = association_table[association_table["control"].isna()].set_index(["service", "method"])
    noisy_before = (
        association_table.loc[association_table["control"].eq("before_departure"), "adjusted_p"].lt(0.05).any()
    )
    permuted = association_table[association_table["control"].eq("permuted")].set_index("service")["adjusted_p"]
    rows = []
    for service in association_table.loc[association_table["control"].isna(), "service"].unique():
        answers = by_service.reindex([(service, method) for method in AGREE])
        if answers["hazard_ratio"].isna().all() or service not in missed.index:
            continue
        quiet = not noisy_before and not permuted.get(service, 1.0) < 0.05
        evidence = of_association(answers, quiet)
        if evidence:
            first, unreached = answers.iloc[0], missed.loc[service]
            rows.append(
                {
                    "group": PROVINCE,
                    "subject": service,
                    "measure": "hazard_ratio",
                    "horizon": np.nan,
                    "households": unreached["n_start"] - unreached["households"],
                    "estimate": first["hazard_ratio"],
                    "se": first["se"],
                    "lower": first["lower"],
                    "upper": first["upper"],
                    "expected": 1.0,
                    "ratio": 1 / first["hazard_ratio"],
                    "n_start": unreached["n_start"],
                    "n_at_risk": first["n_model_stays"],
                    "p_value": first["p_value"],
                    "adjusted_p": first["adjusted_p"],
                    "evidence": evidence,
                    "method": AGREE[0],
                }
            )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def of_association(answers: pd.DataFrame, quiet: bool) -> str | None:
    """
    The evidence of one service, from the rows of `AGREE` in that order, or None.

    Examples
    --------
    >>> rows = pd.DataFrame({"hazard_ratio": .6, "p_value": [.001, .002, .03], "adjusted_p": [.01, .02, .06],
    ...                      "e_value_limit": 1.6})
    >>> of_association(rows, quiet=True), of_association(rows, quiet=False)
    ('moderate', 'to_watch')
    """
    ratio, p, adjusted = (answers[name].to_numpy(dtype=float) for name in ("hazard_ratio", "p_value", "adjusted_p"))
    sure = (ratio < 1) & (adjusted < 0.05)
    if not sure.any():
        return None
    if not (ratio < 1).all() or not quiet:
        return TO_WATCH
    if sure.all() and (answers["e_value_limit"].to_numpy(dtype=float) >= E_VALUE).all():
        return STRONG
    return MODERATE if sure[:2].all() and p[2] < 0.05 else WEAK


RULES: Mapping[str, tuple[Callable[[Tables], pd.DataFrame], str]] = {
    "transfers_do_not_arrive": (transfers_do_not_arrive, GAP),
    "first_contact_is_late": (first_contact_is_late, GAP),
    "needs_stay_unanswered": (needs_stay_unanswered, GAP),
    "service_reaches_few": (service_reaches_few, GAP),
    "service_goes_with_staying": (service_goes_with_staying, ASSOCIATION),
    "follow_up_is_missed": (follow_up_is_missed, GAP),
    "leavers_were_not_served": (leavers_were_not_served, GAP),
}


# ── what rules have in common ─────────────────────────────────────────────────────────────────────────────
def graded(rows: pd.DataFrame) -> pd.DataFrame:
    """
    Candidates with `adjusted_p` over all of them and `evidence` by the scale of this module; those below it are gone.

    Examples
    --------
    >>> rows = pd.DataFrame({"ratio": [1.9, 1.3, 1.02], "lower": [.5, .3, .2], "expected": [.3, .25, .2],
    ...                      "p_value": [.0001, .02, .6]})
    >>> graded(rows)["evidence"].tolist()
    ['strong', 'moderate']
    """
    if not len(rows):
        return rows.assign(adjusted_p=[], evidence=[])
    p = rows["p_value"].to_numpy(dtype=float)
    adjusted = benjamini_hochberg(p)
    ratio = rows["ratio"].to_numpy(dtype=float)
    lowest = rows["lower"].to_numpy(dtype=float) / rows["expected"].to_numpy(dtype=float)
    more = ratio > 1
    evidence = np.select(
        [
            more & (adjusted < 0.01) & (lowest > WORTH),
            more & (adjusted < 0.05) & (ratio >= WORTH),
            more & (adjusted < 0.2),
            more & (p < 0.05),
        ],
        EVIDENCE,
        "",
    )
    return rows.assign(adjusted_p=adjusted, evidence=evidence)[evidence != ""].reset_index(drop=True)


def _above_expected(tables: Tables, measure: str, *, service: str | None = None, horizon: float | None = None):
    """Rows of `service_expected`, told as shares: what was missed beside what the mix of the others predicts."""
    expected = tables.get("service_expected", pd.DataFrame())
    if not len(expected):
        return _none()
    rows = expected[expected["measure"].eq(measure) & expected["estimate"].notna()]
    rows = rows if service is None else rows[rows["service"].eq(service)]
    rows = rows if horizon is None else rows[rows["horizon"].eq(horizon)]
    share = rows["expected_share"].astype(float)
    shaped = rows.assign(
        expected=share,
        ratio=rows["estimate"],
        estimate=rows["estimate"] * share,
        lower=rows["lower"] * share,
        upper=(rows["upper"] * share).clip(upper=1.0),
        se=rows["se"] * share,
    )
    return graded(_shaped(shaped, subject="service"))


def _shaped(rows: pd.DataFrame, *, subject: str) -> pd.DataFrame:
    """The columns of a candidate; `subject` is a column, or what all rows are of."""
    of = rows.get(subject, subject)
    return rows.assign(subject=of).reindex(columns=list(COLUMNS)).reset_index(drop=True)


def _none() -> pd.DataFrame:
    return pd.DataFrame(columns=list(COLUMNS))


# ----------------------------------------------------------------------------------------------------

# The list is kept short enough to be read.
MOST = 8
LEAD_COLUMNS = ("group", "rank", "rule", "kind", *COLUMNS[1:], "note")


def ranked_leads(tables: Tables) -> pd.DataFrame:
    """
    The leads of a run, strongest first.

    Parameters
    ----------
    tables : mapping of name to DataFrame
        Of `service_expected`, `service_needs`, `service_follow_up`, `service_reasons`, `service_reach` and
        `associations` those there are.

    Returns
    -------
    DataFrame
        In the order of evidence (strong, moderate, weak, to_watch), then of the rules, then of the households beyond
        what was expected; at most 8 a group.

        - group (where: `province`, a region code, `column=value`), rank (in the group, from 1), rule, kind (`gap`,
          `association`), subject (the service, need or reason; else what the rule is of)
        - households (whom it touches), measure, horizon (months; days of `transfers_expected`), estimate with se,
          lower, upper (a share missed, 0–1; of an association the hazard ratio), expected (what the rest of the
          province would predict; missing where there is no rest), ratio (estimate over expected; of a hazard ratio its
          inverse)
        - n_start, n_at_risk, p_value, adjusted_p (over all that the rule looked at), evidence, method
        - note: None; `too_few_households`: a row of a region (rank 0, no rule) that no rule could look at

        Groups of regions that a study names have no leads: those of their regions are theirs. Nor have periods, of
        which nothing can be improved any more.

    Examples
    --------
    >>> needs = pd.DataFrame({
    ...     "group": "province", "need": ["job", "housing"], "measure": "need_without_service", "horizon": 6.0,
    ...     "estimate": [0.6, 0.2], "se": 0.03, "lower": [0.54, 0.15], "upper": [0.66, 0.26], "n_start": 250,
    ...     "n_at_risk": 250, "households": [150, 50], "method": "whole_window"})
    >>> found = ranked_leads({"service_needs": needs})
    >>> found.loc[found["note"].isna(), ["group", "rank", "rule", "subject", "evidence"]].values.tolist()
    [['province', 1, 'needs_stay_unanswered', 'job', 'strong']]
    >>> len(ranked_leads({}))
    0
    """
    tables = {name: _of_places(table) for name, table in tables.items()}
    frames = []
    for rule_order, (name, (rule, kind)) in enumerate(RULES.items()):
        frames.append(rule(tables).assign(rule=name, kind=kind, _place=rule_order))
    # as objects: of a rule that found nothing no type is known
    leads = pd.concat([frame.astype("object") for frame in frames], ignore_index=True)
    leads = leads.astype(
        dict.fromkeys(
            ("households", "horizon", "estimate", "se", "lower", "upper", "expected", "ratio", "p_value", "adjusted_p"),
            "float64",
        )
    )
    beyond = leads["households"] * (1 - 1 / leads["ratio"]).clip(lower=0).fillna(1)
    leads = leads.assign(_evidence=leads["evidence"].map(EVIDENCE.index), _beyond=-beyond.fillna(0))
    leads = leads.sort_values(["_evidence", "_place", "_beyond", "group", "subject"], kind="stable")
    leads["rank"] = leads.groupby("group").cumcount() + 1
    leads = leads[leads["rank"] <= MOST].reset_index(drop=True)
    counts = dict.fromkeys(("n_start", "n_at_risk", "households"), "Int64")
    rounded = {name: np.round(leads[name].astype("float64")) for name in counts}
    leads = leads.assign(**rounded, note=None).astype({**counts, "rank": "int64"})
    return pd.concat([leads, _not_looked_at(tables)], ignore_index=True)[list(LEAD_COLUMNS)].astype(
        leads.dtypes[[name for name in LEAD_COLUMNS if name in leads]]
    )


def _of_places(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the province, the regions and the categories; of a table without groups, all."""
    if "group" not in table:
        return table
    group = table["group"].astype(str)
    return table[group.isin([PROVINCE, *REGION_CODES]) | group.str.startswith("immigration_category=")]


def _not_looked_at(tables: Tables) -> pd.DataFrame:
    """A row for each region of which no table says anything that a rule could use."""
    looked = set()
    for name in ("service_expected", "service_needs", "service_follow_up"):
        table = tables.get(name)
        if table is not None and len(table):
            looked |= set(table.loc[table["estimate"].notna(), "group"])
    codes = [code for code in REGION_CODES if code not in METROPOLITAN_REGIONS and code not in looked]
    return pd.DataFrame({"group": codes if looked else [], "rank": 0, "note": TOO_FEW})
