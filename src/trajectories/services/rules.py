"""The rules that make leads: each looks at one table for one kind of gap, and says how strong the evidence is.

`RULES` is the whole of it, in the order in which leads of equal evidence stand: along the way of a household, since
what fails early makes the rest fail too (who was never met is not served either).

Evidence of a gap, a share missed `r` times as large as the rest of the province would predict:

=========  ==========================================================================================
strong     adjusted p < .01, and r is over 1.25 by its lower limit
moderate   adjusted p < .05, and r is 1.25 or more
weak       adjusted p < .20, and r is over 1
to_watch   p < .05 before adjustment, and r is over 1: of twenty groups alike one would be here
=========  ==========================================================================================

p-values are adjusted within a rule, over all groups, services, needs or months that it looks at (Benjamini & Hochberg
1995). Evidence of an association is by `service_goes_with_staying`.

Calibration (tests/recovery/test_leads_recovery.py): of 200 provinces in which no service acts and ends are drawn, one
had a moderate lead about an association and none a strong one (upper 95 % limit of the share: 2.8 %). Of 100 in which
transfers to one region of a tenth of 800 households fail (some 53 % are met, elsewhere 88 %), it was the first lead
there every time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from ..models.joined import benjamini_hochberg
from ..tables import PROVINCE
from .expected import OBSERVED_EXPECTED, TRANSFERS_EXPECTED
from .gaps import COVERAGE
from .given import ALL_STREAMS, ANY_SERVICE
from .the_rest import against_the_rest
from .use import AFTER

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
    found = tables.get("service_expected", pd.DataFrame())
    if not len(found):
        return _none()
    return _above_expected({"service_expected": found[found["service"].ne(ANY_SERVICE)]}, OBSERVED_EXPECTED, horizon=12)


def needs_stay_unanswered(tables: Tables) -> pd.DataFrame:
    """
    Households that told of a need and had neither found nor been given what answers it, six months later.

    Table `service_needs`. A region against the rest of the province, by the scale of this module. The province has
    nothing beside it: `strong` where the lower limit is over a half, `moderate` over a third.
    """
    found = tables.get("service_needs", pd.DataFrame())
    found = found[found["estimate"].notna()] if len(found) else found
    if not len(found):
        return _none()
    beside = against_the_rest(found, ["need", "horizon"], "households")
    regional = graded(_shaped(beside, subject="need"))
    whole = _shaped(found[found["group"].eq(PROVINCE)], subject="need")
    evidence = np.select([whole["lower"] > HALF, whole["lower"] > THIRD], [STRONG, MODERATE], "")
    return pd.concat([regional, whole.assign(evidence=evidence)[evidence != ""]], ignore_index=True)


def follow_up_is_missed(tables: Tables) -> pd.DataFrame:
    """
    Scheduled contacts that were due and not held, more than in the rest of the province.

    Table `service_follow_up`, measure `follow_up_coverage`, all organisations together. Of several months of the
    schedule the one with the strongest evidence. Where contacts fail, retention is also less well known.
    """
    found = tables.get("service_follow_up", pd.DataFrame())
    if not len(found):
        return _none()
    found = found[found["measure"].eq(COVERAGE) & found["organisation_type"].eq("all")]
    found = found[found["estimate"].notna()]
    # what is told is what was missed
    missed = found.assign(estimate=1 - found["estimate"], lower=1 - found["upper"], upper=1 - found["lower"])
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
    found = tables.get("service_reasons", pd.DataFrame())
    found = found[found["estimate"].notna()] if len(found) else found
    if not len(found):
        return _none()
    rows = found[found["upper"] < HALF]
    told = _shaped(rows.assign(households=rows["n_start"] - rows["households"]), subject="reason")
    # the share without the service
    told = told.assign(estimate=1 - told["estimate"], lower=1 - told["upper"], upper=1 - told["lower"])
    return told.assign(evidence=TO_WATCH)


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
    found = tables.get("associations", pd.DataFrame())
    reach = tables.get("service_reach", pd.DataFrame())
    if not len(found) or not len(reach):
        return _none()
    missed = reach[reach["group"].eq(PROVINCE) & reach["when"].eq(AFTER) & reach["stream"].eq(ALL_STREAMS)]
    missed = missed.set_index("service")
    own = found[found["control"].isna()].set_index(["service", "method"])
    noisy_before = found.loc[found["control"].eq("before_departure"), "adjusted_p"].lt(0.05).any()
    permuted = found[found["control"].eq("permuted")].set_index("service")["adjusted_p"]
    rows = []
    for service in found.loc[found["control"].isna(), "service"].unique():
        answers = own.reindex([(service, method) for method in AGREE])
        if answers["hazard_ratio"].isna().all() or service not in missed.index:
            continue
        quiet = not noisy_before and not permuted.get(service, 1.0) < 0.05
        evidence = of_association(answers, quiet)
        if evidence:
            first, unreached = answers.iloc[0], missed.loc[service]
            rows.append({
                "group": PROVINCE, "subject": service, "measure": "hazard_ratio", "horizon": np.nan,
                "households": unreached["n_start"] - unreached["households"], "estimate": first["hazard_ratio"],
                "se": first["se"], "lower": first["lower"], "upper": first["upper"], "expected": 1.0,
                "ratio": 1 / first["hazard_ratio"], "n_start": unreached["n_start"],
                "n_at_risk": first["n_model_stays"], "p_value": first["p_value"], "adjusted_p": first["adjusted_p"],
                "evidence": evidence, "method": AGREE[0],
            })  # fmt: skip
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
            more & (adjusted < 0.01) & (lowest > WORTH), more & (adjusted < 0.05) & (ratio >= WORTH),
            more & (adjusted < 0.2), more & (p < 0.05),
        ],
        EVIDENCE, "",
    )  # fmt: skip
    return rows.assign(adjusted_p=adjusted, evidence=evidence)[evidence != ""].reset_index(drop=True)


def _above_expected(tables: Tables, measure: str, *, service: str | None = None, horizon: float | None = None):
    """Rows of `service_expected`, told as shares: what was missed beside what the mix of the others predicts."""
    found = tables.get("service_expected", pd.DataFrame())
    if not len(found):
        return _none()
    rows = found[found["measure"].eq(measure) & found["estimate"].notna()]
    rows = rows if service is None else rows[rows["service"].eq(service)]
    rows = rows if horizon is None else rows[rows["horizon"].eq(horizon)]
    share = rows["expected_share"].astype(float)
    told = rows.assign(
        expected=share, ratio=rows["estimate"], estimate=rows["estimate"] * share, lower=rows["lower"] * share,
        upper=(rows["upper"] * share).clip(upper=1.0), se=rows["se"] * share,
    )  # fmt: skip
    return graded(_shaped(told, subject="service"))


def _shaped(rows: pd.DataFrame, *, subject: str) -> pd.DataFrame:
    """The columns of a candidate; `subject` is a column, or what all rows are of."""
    of = rows.get(subject, subject)
    return rows.assign(subject=of).reindex(columns=list(COLUMNS)).reset_index(drop=True)


def _none() -> pd.DataFrame:
    return pd.DataFrame(columns=list(COLUMNS))
