"""Improvement leads: what the rules found, in one order, a few for each place.

A lead is a place to look, with a figure, how valid it is, what would check it and what it may be instead. Where no rule
holds there is no lead; that is an answer as well.

A gap is a lead where it is larger than the rest of the province would predict (a comparison), or where it is past a
stated line (an absolute gap): what is wanting everywhere differs from nothing, and counts too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from ...study import METROPOLITAN_REGIONS, REGION_CODES, Leads
from ...survival.checks import NORMAL_975
from ...tables import PROVINCE
from ..models import benjamini_hochberg
from .expected import OBSERVED_EXPECTED, TRANSFERS_EXPECTED
from .gaps import COVERAGE
from .service_events import ALL_STREAMS, ANY_SERVICE, TOO_FEW, share_limits
from .transfer import ALL_PERIODS, TOLD, TRANSFER
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
# The rules that make leads: each looks at one kind of gap and gives its candidates, all that it looked at; `graded`
# says how valid each is.
#
# `RULES` is the whole of it, along the way of a household.
#
# Evidence is a word about validity. Of a comparison, a share missed `r` times as large as the rest of the province
# would predict; of an absolute gap, a share whose lower 95 % limit is past the line (study.toml, [leads]):
#
# =========  ==========================================  ========================================================
# evidence   comparison                                  absolute gap (lower limit past the line)
# =========  ==========================================  ========================================================
# solid      adjusted p < .01, r over 1.25 by its limit  adjusted p < .05, past it with all unknown taken for answered
# to_verify  adjusted p < .05, r 1.25 or more            adjusted p < .05
# to_watch   r over 1, and adjusted p < .20 or p < .05   the others
# =========  ==========================================  ========================================================
#
# p-values are adjusted over all that the rules of a run looked at, one family (Benjamini & Hochberg 1995). That of an
# absolute gap is of a share at the line: it is under .05 where the lower limit is past it. Evidence of an association
# is by `service_goes_with_staying`.
#
# Calibration (tests/recovery/test_leads_recovery.py): of 200 provinces in which no service acts and ends are drawn,
# one had a lead `to_verify` about an association and none a `solid` one (upper 95 % limit of the share: 2.8 %), when
# p-values were adjusted within each rule; the one family asks for more.

Tables = Mapping[str, pd.DataFrame]
SOLID, TO_VERIFY, TO_WATCH = EVIDENCE = ("solid", "to_verify", "to_watch")
GAP, ASSOCIATION = "gap", "association"
# Who can act on it.
ACTORS = ORGANISATION, REGIONAL_OFFICE, MINISTRY = ("organisation", "regional_office", "ministry")
# What a candidate says: where, of what, whom it touches, the figure beside what was expected or the line, how sure.
COLUMNS = (
    "group", "subject", "households", "measure", "horizon", "estimate", "se", "lower", "upper", "expected", "line",
    "ratio", "n_start", "n_at_risk", "p_value", "adjusted_p", "evidence", "method",
)  # fmt: skip
# So much more than predicted is worth a meeting.
WORTH = 1.25
LINE = Leads().line
# Fewer than so many of those who left had the service for their reason.
HALF = 1 / 2
# What not measured would have to go with service and leaving by less than this would be no surprise.
E_VALUE = 1.5
AGREE = ("discrete", "with_services", "landmark_6")
# Within how many months, and days, somebody is to have been met.
FIRST_MONTHS, MET_DAYS = 3, 90


def transfers_do_not_arrive(tables: Tables, line: float = LINE) -> pd.DataFrame:
    """
    Households prepared and told of in the metropole whom nobody of the region met within 90 days.

    More than predicted: table `service_expected`, measure `transfers_expected` (expected.py), regions and categories.
    Past the line: table `service_transfer`; households whose establishment is known less well than to 31 days, or that
    are not followed for so long, are unknown.
    """
    rows = _of(tables, "service_transfer", measure=TRANSFER, method=TOLD, period=ALL_PERIODS, horizon=MET_DAYS)
    rows = _missed(rows, rows.get("left_out", 0))
    return _together(_above_expected(tables, TRANSFERS_EXPECTED), _past(rows, line, subject=None))


def first_contact_is_late(tables: Tables, line: float = LINE) -> pd.DataFrame:
    """
    Households without any service of the region within three months of settling.

    More than predicted: table `service_expected`, measure `observed_expected`, service `any`, 3 months. Past the line:
    table `service_delay`, the same; households not followed for three months are unknown.
    """
    beside = _above_expected(tables, OBSERVED_EXPECTED, service=ANY_SERVICE, horizon=FIRST_MONTHS)
    rows = _missed(_of(tables, "service_delay", service=ANY_SERVICE, horizon=FIRST_MONTHS))
    return _together(beside, _past(rows, line, subject="service"))


def service_reaches_few(tables: Tables, line: float = LINE) -> pd.DataFrame:
    """
    Households that a service did not reach within twelve months, more than predicted.

    Table `service_expected`, measure `observed_expected`, each service but `any`, 12 months. A service that is not
    needed reaches few as well: the caveat says so, and no line is drawn.
    """
    expected = tables.get("service_expected", pd.DataFrame())
    if not len(expected):
        return _none()
    return _above_expected(
        {"service_expected": expected[expected["service"].ne(ANY_SERVICE)]}, OBSERVED_EXPECTED, horizon=12
    )


def needs_stay_unanswered(tables: Tables, line: float = LINE) -> pd.DataFrame:
    """
    Households that told of a need and had neither found nor been given what answers it, six months later.

    Table `service_needs`: a region or category against the rest of the province, and regions and the province past the
    line. Households that told of the need and are not observed for six months after it are unknown.
    """
    needs = _of(tables, "service_needs")
    if not len(needs):
        return _none()
    beside = _shaped(against_the_rest(needs, ["need", "horizon"], "households"), subject="need")
    k, unknown = needs["households"].astype(float), needs.get("unknown", pd.Series(0, needs.index)).astype(float)
    return _together(beside, _past(needs.assign(_least=_least(k, needs["n_start"] + unknown)), line, subject="need"))


def follow_up_is_missed(tables: Tables, line: float = LINE) -> pd.DataFrame:
    """
    Scheduled contacts that were due and not held: more than in the rest of the province, or past the line.

    Table `service_follow_up`, measure `follow_up_coverage`, all organisations together; of several months of the
    schedule `ranked_leads` keeps one. Whether a contact was held is always known. Where contacts fail, retention is
    also less well known.
    """
    follow_up = _of(tables, "service_follow_up", measure=COVERAGE, organisation_type="all")
    if not len(follow_up):
        return _none()
    # the lead gives the share missed
    missed = follow_up.assign(
        estimate=1 - follow_up["estimate"], lower=1 - follow_up["upper"], upper=1 - follow_up["lower"]
    )
    missed = missed.assign(households=(missed["estimate"] * missed["n_start"].astype(float)).round())
    beside = _shaped(against_the_rest(missed, ["horizon"]), subject="follow_up")
    return _together(beside, _past(missed.assign(_least=missed["lower"]), line, subject="follow_up"))


def leavers_were_not_served(tables: Tables, line: float = LINE) -> pd.DataFrame:
    """
    Of households that left for a reason, fewer than half had been given the service for it: `to_watch`, never more.

    Table `service_reasons`, the upper limit under a half. No p-value, so no member of the family. Nobody knows what
    those who stayed would have needed, nor whether the service would have kept anybody: it is a question to ask, not a
    finding.
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


def service_goes_with_staying(tables: Tables, line: float = LINE) -> pd.DataFrame:
    """
    Who received a service leaves less, by methods that fail differently; and many households were not reached by it.

    Table `associations`. The three methods of `AGREE` each have a hazard ratio under 1, and the control `permuted` of
    the service, and every service of the control `before_departure`, is quiet (adjusted p of .05 or more):

    - `solid`: adjusted p < .05 by all three, and E-values of their limits of 1.5 or more;
    - `to_verify`: adjusted p < .05 by the two time-varying ones, p < .05 by the landmark;
    - `to_watch`: adjusted p < .05 by one of them, or the methods or the controls do not agree.

    Those p-values are adjusted over the services of a method; where the first method's is .05 or more among all that
    the rules of the run looked at, it is `to_watch`. Every service looked at is a candidate. Those touched are the
    households that the service did not reach in the year after they settled (`service_reach`).
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
                "evidence": evidence or "",
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
    ('to_verify', 'to_watch')
    """
    ratio, p, adjusted = (answers[name].to_numpy(dtype=float) for name in ("hazard_ratio", "p_value", "adjusted_p"))
    sure = (ratio < 1) & (adjusted < 0.05)
    if not sure.any():
        return None
    if not (ratio < 1).all() or not quiet:
        return TO_WATCH
    if sure.all() and (answers["e_value_limit"].to_numpy(dtype=float) >= E_VALUE).all():
        return SOLID
    return TO_VERIFY if sure[:2].all() and p[2] < 0.05 else TO_WATCH


RULES: Mapping[str, tuple[Callable[[Tables, float], pd.DataFrame], str]] = {
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
    ...                      "p_value": [.0001, .02, .6], "line": np.nan})
    >>> graded(rows)["evidence"].tolist()
    ['solid', 'to_verify']
    """
    if not len(rows):
        return rows.assign(adjusted_p=[], evidence=[])
    numbers = rows.reindex(columns=["p_value", "ratio", "lower", "expected", "line", "_least"]).astype("float64")
    p, ratio, lower, expected, line, least = numbers.to_numpy().T
    adjusted = benjamini_hochberg(p)
    absolute, more = ~np.isnan(line) & (lower > line), ratio > 1
    evidence = np.select(
        [
            (absolute & (adjusted < 0.05) & (least > line)) | (more & (adjusted < 0.01) & (lower / expected > WORTH)),
            (absolute & (adjusted < 0.05)) | (more & (adjusted < 0.05) & (ratio >= WORTH)),
            absolute | (more & ((adjusted < 0.2) | (p < 0.05))),
        ],
        EVIDENCE,
        "",
    )
    # what a rule has said itself holds, but that nothing is surer than its place in the family
    said = rows.get("evidence", pd.Series(index=rows.index, dtype="object"))
    capped = np.where(said.isin([SOLID, TO_VERIFY]) & (adjusted >= 0.05), TO_WATCH, said)
    evidence = np.where(said.notna(), capped, evidence)
    return rows.assign(adjusted_p=adjusted, evidence=evidence)[evidence != ""].reset_index(drop=True)


def _of(tables: Tables, name: str, **values: object) -> pd.DataFrame:
    """The rows of a table that have an estimate and these values; none where there is no such table."""
    table = tables.get(name, pd.DataFrame())
    if not len(table):
        return pd.DataFrame(columns=["group", "estimate"])
    chosen = table["estimate"].notna()
    for column, value in values.items():
        chosen &= table[column].eq(value)
    return table[chosen]


def _missed(rows: pd.DataFrame, unknown: pd.Series | float = 0) -> pd.DataFrame:
    """Rows of an incidence of being met, as the share not met; households not followed to the end are unknown."""
    if not len(rows):
        return rows
    n = rows["n_start"].astype(float)
    share = 1 - rows["estimate"]
    least = _least(share * rows["n_followed"].astype(float), n + unknown)
    return rows.assign(
        estimate=share, lower=1 - rows["upper"], upper=1 - rows["lower"], households=(share * n).round(), _least=least
    )


def _least(k: pd.Series, n: pd.Series) -> np.ndarray:
    """The lower 95 % limit of a share, n having those in it of whom the outcome is not known."""
    return share_limits(k.astype(float), n.astype(float))[2]


def _past(rows: pd.DataFrame, line: float, *, subject: str | None) -> pd.DataFrame:
    """Shares of regions and the province beside the line; the p-value is under .05 where the lower limit is past it."""
    rows = rows[rows["group"].isin([PROVINCE, *REGION_CODES])]
    if not len(rows):
        return _none()
    from scipy.special import ndtr  # scipy costs half a second: not at `import trajectories`

    estimate, lower, upper = (rows[name].to_numpy(dtype=float) for name in ("estimate", "lower", "upper"))
    # one-sided: a share far under the line is no discovery
    away = estimate - line
    width = np.where(away > 0, estimate - lower, upper - estimate)
    z = NORMAL_975 * np.divide(away, width, out=np.full(len(rows), np.nan), where=width > 0)
    shaped = _shaped(rows.assign(p_value=np.minimum(2 * ndtr(-z), 1.0)), subject=subject)
    return shaped.assign(line=float(line), expected=np.nan, ratio=np.nan, _least=rows["_least"].to_numpy())


def _together(*frames: pd.DataFrame) -> pd.DataFrame:
    """Candidates of one rule; as objects: of none no type is known."""
    return pd.concat([frame.astype("object") for frame in frames], ignore_index=True)


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
    return _shaped(shaped, subject="service")


def _shaped(rows: pd.DataFrame, *, subject: str | None) -> pd.DataFrame:
    """The columns of a candidate; `subject` is a column, or what all rows are of."""
    of = rows.get(subject, subject) if subject else None
    return rows.assign(subject=of).reindex(columns=list(COLUMNS)).reset_index(drop=True)


def _none() -> pd.DataFrame:
    return pd.DataFrame(columns=list(COLUMNS))


# ----------------------------------------------------------------------------------------------------

# The list is kept short enough to be read.
MOST = 8
LEAD_COLUMNS = ("group", "rank", "rule", "kind", *COLUMNS[1:], "actor", "note")
_FLOATS = (
    "households", "horizon", "estimate", "se", "lower", "upper", "expected", "line", "ratio", "p_value", "adjusted_p",
    "_least",
)  # fmt: skip


def ranked_leads(tables: Tables, *, line: float = LINE) -> pd.DataFrame:
    """
    The leads of a run: those to watch come last, the others by the households at stake.

    Parameters
    ----------
    tables : mapping of name to DataFrame
        Of `service_expected`, `service_needs`, `service_follow_up`, `service_transfer`, `service_delay`,
        `service_reasons`, `service_reach` and `associations` those there are.
    line : float
        The share unanswered past which a gap is a lead by itself (`study.leads.line`).

    Returns
    -------
    DataFrame
        At most 8 a group, the most valid. Those `to_watch` come after the others; then in the order of the households
        at stake, to the nearest five: of a comparison those beyond what the rest would predict, else all.

        - group (where: `province`, a region code, `column=value`), rank (in the group, from 1), rule, kind (`gap`,
          `association`), subject (the service, need or reason; else what the rule is of)
        - households (whom it touches), measure, horizon (months; days of transfers), estimate with se, lower, upper (a
          share missed, 0–1; of an association the hazard ratio), expected (what the rest of the province would predict;
          missing of an absolute gap), line (of an absolute gap; missing of a comparison), ratio (estimate over
          expected; of a hazard ratio its inverse)
        - n_start, n_at_risk, p_value, adjusted_p (over all that the rules looked at), evidence, method
        - actor: who can act on it, `organisation`, `regional_office` (transfers) or `ministry` (the whole province)
        - note: None; `too_few_households`: a row of a region (rank 0, no rule) that no rule could look at

        Where a gap is both larger than predicted and past the line it is told once, as what is more valid, and as the
        comparison where both are alike. Groups of regions that a study names have no leads: those of their regions are
        theirs. Nor have periods, of which nothing can be improved any more.

    Examples
    --------
    >>> needs = pd.DataFrame({
    ...     "group": "province", "need": ["job", "housing"], "measure": "need_without_service", "horizon": 6.0,
    ...     "estimate": [0.6, 0.2], "se": 0.03, "lower": [0.54, 0.15], "upper": [0.66, 0.26], "n_start": 250,
    ...     "n_at_risk": 250, "households": [150, 50], "unknown": 5, "method": "whole_window"})
    >>> found = ranked_leads({"service_needs": needs})
    >>> found.loc[found["note"].isna(), ["group", "rank", "subject", "evidence", "line", "actor"]].values.tolist()
    [['province', 1, 'job', 'solid', 0.5, 'ministry']]
    >>> len(ranked_leads({}))
    0
    """
    tables = {name: _of_places(table) for name, table in tables.items()}
    found = [
        rule(tables, line).assign(rule=name, kind=kind, _place=place)
        for place, (name, (rule, kind)) in enumerate(RULES.items())
    ]
    candidates = _together(*found).reindex(columns=[*COLUMNS, "_least", "rule", "kind", "_place"])
    candidates = candidates.astype(dict.fromkeys(_FLOATS, "float64"))
    leads = graded(candidates)
    order = ["_evidence", "_place", "group", "subject"]
    leads = leads.assign(
        _evidence=leads["evidence"].map(EVIDENCE.index), _watch=leads["evidence"].eq(TO_WATCH),
        _at_stake=-at_stake(leads["households"], leads["estimate"], leads["expected"].where(leads["kind"].eq(GAP))),
        _line=leads["line"].notna(), _subject=leads["subject"].fillna(""),
    )  # fmt: skip
    leads = leads.sort_values(["_evidence", "_line", "adjusted_p"], kind="stable")
    leads = leads.drop_duplicates(["group", "rule", "_subject"])
    leads = leads.sort_values(["_evidence", "_at_stake", *order[1:]], kind="stable")
    leads = leads[leads.groupby("group").cumcount() < MOST]
    leads = leads.sort_values(["_watch", "_at_stake", *order], kind="stable", ignore_index=True)
    leads["rank"] = leads.groupby("group").cumcount() + 1
    regional = leads["group"].isin(REGION_CODES)
    transfers = leads["rule"].eq(transfers_do_not_arrive.__name__)
    leads["actor"] = np.select([~regional, transfers], [MINISTRY, REGIONAL_OFFICE], ORGANISATION).astype(object)
    counts = dict.fromkeys(("n_start", "n_at_risk", "households"), "Int64")
    rounded = {name: np.round(leads[name].astype("float64")) for name in counts}
    leads = leads.assign(**rounded, note=None).astype({**counts, "rank": "int64"})
    looked_at = set(candidates.loc[candidates["kind"].eq(GAP), "group"])
    return pd.concat([leads, _not_looked_at(looked_at)], ignore_index=True)[list(LEAD_COLUMNS)].astype(
        leads.dtypes[[name for name in LEAD_COLUMNS if name in leads]]
    )


def at_stake(households: pd.Series, estimate: pd.Series, expected: pd.Series) -> pd.Series:
    """
    Of households touched by a share, those beyond the share expected, to the nearest five; all where none is expected.

    The order of leads, in the analysis and among the numbers that are told (disclosure/contrasts.py).

    Examples
    --------
    >>> at_stake(pd.Series([60, 60, 24]), pd.Series([0.5, 0.5, 0.7]), pd.Series([0.25, np.nan, 0.9])).tolist()
    [30.0, 60.0, 0.0]
    """
    beyond = households.astype("float64") * (1 - (expected / estimate).fillna(0.0))
    return (beyond.clip(lower=0) / 5).round() * 5


def _of_places(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the province, the regions and the categories; of a table without groups, all."""
    if "group" not in table:
        return table
    group = table["group"].astype(str)
    return table[group.isin([PROVINCE, *REGION_CODES]) | group.str.startswith("immigration_category=")]


def _not_looked_at(looked_at: set[str]) -> pd.DataFrame:
    """A row for each region of which no table says anything that a rule could use."""
    codes = [code for code in REGION_CODES if code not in METROPOLITAN_REGIONS and code not in looked_at]
    return pd.DataFrame({"group": codes if looked_at else [], "rank": 0, "note": TOO_FEW})
