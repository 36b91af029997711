"""Which services go with staying: associations, never causes.

Who is served differs from who is not, in ways that no table holds; so each ratio is told beside how strong such a
difference would have to be (E-value) and beside controls that cannot be effects. Rules:

1. A service counts from the month after it was received (models/services.py): counted from the establishment, any
   service that is given late seems to keep people (`landmark.naive_ever_received` shows it).
2. Exposure comes from services, ends from contacts and news (completed.py), never one from the other. But a service is
   also a proof of presence: draws that do not know it let some leave before they were served, who are then no exposed
   stays; those left exposed are the ones whose contacts are the better. With four tenths of what is told of a service
   unknown (`missing`) and no effect, its log ratio came out .08 to .14 too low (1,500 stays; its se .15). In large
   numbers that is a false effect. So three methods stand beside: `with_services` takes draws in agreement with the
   service (presence.py; .04 ± .04 there, and errs towards no effect), landmarks hardly depend on it (.01 ± .05), and
   `visit_weighted` weighs months by the chance of being seen (visits.py), which does not mend it. Where these do not
   say the same, nothing should be said.
3. Nothing is said below the minimum numbers of answers.py: the row is there, its note says why, and it has no number
   but its counts.
4. A family is the services of one method; a control is a family of its own.

Draws know of no effect of services: the more of the ends are drawn, the nearer to 1 a true effect is told (.6 came out
as .66, and as .73 in `with_services`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from ..contacts import until_report
from ..models.regressions import REGION, Rows
from ..models.services import exposed_rows, first_months
from ..models.terms import TERMS
from ..study import Study
from .answers import COLUMNS, adjusted_rows, answers, family, with_columns
from .controls import BEFORE, PERMUTED, permuted
from .landmark import LANDMARKS, landmark
from .presence import in_agreement, taken
from .visits import SEEN, months_seen, weighted_rows

READ = ("person_id", "episode", "household_id", REGION, "organisation_id", "start", "time", "cause", "at_risk", *TERMS)
METHODS = ("discrete", "cox", "with_services", "visit_weighted", *(f"landmark_{month}" for month in LANDMARKS))


def associations(
    completed: Sequence[pd.DataFrame],
    services: pd.DataFrame,
    *,
    contacts: pd.DataFrame | None = None,
    before: pd.DataFrame | None = None,
    study: Study | None = None,
    only: Sequence[str] | None = None,
) -> pd.DataFrame:
    """
    Services received after the establishment and the hazard of leaving the region, by several methods, and controls.

    Parameters
    ----------
    completed : sequence of DataFrame
        What `completed_stays` returned: person_id, episode, household_id, region, start, time, cause, at_risk,
        organisation_id and the covariates of `models.terms.TERMS` (those absent are left out).
    services : DataFrame
        person_id, episode, month (since the establishment), service: what `models.services_in_stays` returned.
    contacts : DataFrame, optional
        The table of that name; without it there is no method `visit_weighted`.
    before : DataFrame, optional
        What `controls.control_services` returned; without it there is no control `before_departure`.
    study : Study, optional
        Its seed is used for the permuted control.
    only : sequence of str, optional
        Of `METHODS` and of the controls; by default all.

    Returns
    -------
    DataFrame
        A row a service, method and control:

        - service
        - method: `discrete` (time-varying, discrete-time hazard), `cox` (time-varying, start–stop), `with_services`
          (as discrete, on draws in agreement with the service), `visit_weighted` (as discrete, months weighted by the
          inverse of the chance of being seen), `landmark_3`, `landmark_6`
        - control: None, or `before_departure` or `permuted` (method `discrete`): no effect can be behind it
        - adjusted_for: the terms of the model beside the service, as « city_size, region, other_services »; of a
          `cox` or `landmark_…` region is a stratum
        - estimate, se: log hazard ratio; hazard_ratio, lower, upper (95 %): under 1, who received it leaves less
        - p_value, and adjusted_p over the services of the method (Benjamini & Hochberg 1995)
        - e_value, e_value_limit: of the ratio, and of the limit nearest 1 (1 where the limits hold 1)
        - missing: share of the variance that is due to what is drawn (0–1)
        - n_stays, n_events, n_households: that received it while at risk, and their exits after it; n_model_stays,
          n_model_events: all those of the model (means over the draws)
        - note: None; `too_few_households_received`, `…_did_not_receive`, `too_few_exits_received`,
          `…_did_not_receive`, `nobody_at_risk`, `nobody_at_landmark`, `not_estimable`: why there is no number;
          `average_effect` (of Cox models): the ratio changes over time, and this is its mean.

    Raises
    ------
    ValueError
        No draw is given; a name in `only` that is no method and no control.

    Notes
    -----
    Discrete-time hazard: complementary log-log (Prentice & Gloeckler 1978). Cox: stratified by region. Households as
    clusters (Lin & Wei 1989). Rubin's rules on the log scale (models/joined.py). E-values: VanderWeele & Ding (2017);
    where 15 % of the stays or more ended, their square-root approximation of the ratio of risks stands for the hazard
    ratio. The services of a method are in one model, each given those received before it; a service received
    because of another then takes that part of its effect.

    Examples
    --------
    >>> from trajectories.simulate.served_stays import served_stays
    >>> stays = served_stays(1500, seed=1, ratio=0.4)
    >>> table = associations(stays.completed, stays.services, only=["discrete", "cox"])
    >>> table[["service", "method"]].to_numpy().tolist()
    [['pairing', 'discrete'], ['reception', 'discrete'], ['pairing', 'cox'], ['reception', 'cox']]
    >>> (table["adjusted_p"] < 0.05).tolist()
    [True, False, True, False]
    """
    if not len(completed):
        raise ValueError("completed: no draw is given.")
    possible = (*METHODS, BEFORE, PERMUTED)
    unknown = [name for name in only or () if name not in possible]
    if unknown:
        raise ValueError(f"only: {', '.join(unknown)} is no method; they are {', '.join(possible)}.")
    study = study or Study()
    frames = _at_risk(completed)
    names = sorted(services["service"].dropna().unique())
    if not min(len(frame) for frame in frames):
        nothing = pd.DataFrame({"service": names, "method": "discrete", "note": "nobody_at_risk"})
        return nothing.reindex(columns=list(COLUMNS)).astype({"control": object, "adjusted_for": object})
    firsts = [first_months(frame, services).reindex(columns=names) for frame in frames]
    made = {
        "discrete": lambda: _time_varying("discrete", frames, firsts, names),
        "cox": lambda: _time_varying("cox", frames, firsts, names),
        "with_services": lambda: _with_services(completed, services, names, study.seed),
        "visit_weighted": lambda: _visit_weighted(frames, firsts, names, services, contacts),
        **{f"landmark_{month}": lambda month=month: landmark(frames, services, month=month) for month in LANDMARKS},
        BEFORE: lambda: _before(frames, before),
        PERMUTED: lambda: _permuted(frames, firsts, names, study.seed),
    }
    needs = {"visit_weighted": contacts, BEFORE: before}
    absent = {name for name, given in needs.items() if given is None}
    chosen = [name for name in possible if name not in absent and (only is None or name in only)]
    tables = [table for table in (made[name]() for name in chosen) if len(table)]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(COLUMNS))


def _at_risk(completed: Iterable[pd.DataFrame]) -> list[pd.DataFrame]:
    """The stays at risk of each draw, and of their columns what is read here."""
    return [
        frame.loc[frame["at_risk"], [name for name in frame if name in READ]].reset_index(drop=True)
        for frame in completed
    ]


def _time_varying(kind: str, frames, firsts: Sequence[pd.DataFrame], names: Sequence[str], control: str | None = None):
    draws, terms = adjusted_rows(frames, kind)
    rows = draws.changed(lambda k, each: exposed_rows(each, firsts[k], names))
    return answers(kind, kind, rows, terms, names, control)


def _with_services(completed: Sequence[pd.DataFrame], services: pd.DataFrame, names: Sequence[str], seed: int):
    """Each service on draws in agreement with it, given the others."""
    parts = [pd.DataFrame(columns=list(COLUMNS))] if not names else []
    first = first_months(completed[0], services).reindex(columns=names)
    for name in names:
        chosen = in_agreement(completed, first[name].to_numpy(dtype=float), seed)
        frames = _at_risk(taken(completed, which) for which in chosen)
        firsts = [first_months(frame, services).reindex(columns=names) for frame in frames]
        table = _time_varying("discrete", frames, firsts, names)
        parts.append(table[table["service"].eq(name)])
    return family(pd.concat(parts, ignore_index=True).assign(method="with_services"))


def _visit_weighted(frames, firsts, names: Sequence[str], services: pd.DataFrame, contacts: pd.DataFrame):
    draws, terms = adjusted_rows(frames, "discrete")
    found = until_report(contacts)
    found = found[found["kind"].isin(SEEN)]
    rows = draws.changed(lambda k, each: weighted_rows(
        each, firsts[k].to_numpy(dtype=float), months_seen(frames[k], services), months_seen(frames[k], found),
    ))  # fmt: skip
    return answers("visit_weighted", "discrete", rows, terms, names)


def _before(frames: Sequence[pd.DataFrame], before: pd.DataFrame) -> pd.DataFrame:
    """Who received each of the services before, as a covariate."""
    names = sorted(before["service"].dropna().unique())
    draws, terms = adjusted_rows(frames, "discrete")
    received = [before.loc[before["service"].eq(name), ["person_id", "episode"]] for name in names]
    who = [pd.MultiIndex.from_frame(some) for some in received]

    def beside(k: int, each: Rows) -> Rows:
        of_stay = pd.MultiIndex.from_frame(frames[k][["person_id", "episode"]])
        had = [of_stay.isin(some) for some in who]
        return with_columns(each, np.array(had).reshape(len(names), len(of_stay)).T)

    rows = draws.changed(beside)
    return answers("discrete", "discrete", rows, terms, names, BEFORE)


def _permuted(frames, firsts: Sequence[pd.DataFrame], names: Sequence[str], seed: int) -> pd.DataFrame:
    dealt = [permuted(first, frame, seed) for frame, first in zip(frames, firsts, strict=True)]
    return _time_varying("discrete", frames, dealt, names, PERMUTED)
