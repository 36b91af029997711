"""What a fit of the observation model rests on, counted, and what of it a reader must be told."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pandas as pd

from trajectories.survival.checks import Floats, Integers
from trajectories.survival.observation.ascent import Fit
from trajectories.survival.observation.ascertainment import FAILED, HINT, LEFT, PRESENT, Ascertained
from trajectories.survival.observation.observation_em import Expected, ObservationEM
from trajectories.survival.observation.observation_parameters import N_STATES, Parameters

# Periods since the start that the counts are given for: months up to and including.
PERIODS = (12, 24)
PERIOD_NAMES = ("0-12", "13-24", "25+")
AGREE = 1e-4  # starts that end farther apart than this have not found one maximum


def checks_of(
    known: Ascertained, em: ObservationEM, p: Parameters, expected: Expected, mass: Floats, fit: Fit
) -> pd.DataFrame:
    """
    The checks of a fit.

    Returns
    -------
    DataFrame
        check, cause (0: all, or unknown), period (months since the start, or None), value. By period:
        failures_followed_by_presence (what π₀ is learnt from), failures_before_known_exit (π₁); by cause and
        period: exits_found_by_contact (before any news: what η is learnt from) and exits_heard. Then once:
        stays, no_later_news (stays of which nothing is known after their entry), never_at_risk,
        without_likelihood, gone_fail_less (π₁ ≤ π₀), share_never_heard (of the mass of exits), contradictions
        and the other rows set aside, failures (recorded), never_reached (the share, where it is fitted),
        false_news and false_contact (a month's chance, where fitted) and taken_as_false (expected reports),
        service_shape (α; `service_shape_at_cap`), spread (between starts, largest on a curve), iterations,
        converged.
    """
    about = known.contacts
    rows: list[tuple[str, int, str | None, float]] = []

    def by_period(check: str, month: Floats, cause: int = 0) -> None:
        of = np.searchsorted(PERIODS, month, side="left")
        for k, n in enumerate(np.bincount(of, minlength=len(PERIOD_NAMES))):
            rows.append((check, cause, PERIOD_NAMES[k], float(n)))

    failed = about.kind == FAILED
    by_period("failures_followed_by_presence", about.month[failed & (about.month < known.confirmed[about.stay])])
    after = failed & (about.month > known.confirmed[about.stay]) & known.known[about.stay]
    by_period("failures_before_known_exit", about.month[after])
    found_at = np.zeros(known.n)
    left = about.kind == LEFT
    found_at[about.stay[left]] = about.month[left]
    used = em.cells.pattern >= 0
    for place, name in [(-1, 0), *enumerate(known.names)]:
        mine = used & (known.cause == place)
        by_period("exits_found_by_contact", found_at[mine & known.by_contact], int(name))
        by_period("exits_heard", known.news_month[mine & known.by_news].astype(float), int(name))

    contacted = np.isin(np.arange(known.n), about.stay[about.kind != HINT])
    # entered and ended in one month; who is known to have left in an earlier one cannot have come under observation
    never_at_risk = (known.last < known.enter) & ~(known.known & (known.last < known.enter - 1))
    # what is borrowed may leave no way in which a stay could have become known as it did
    impossible = used & ~(np.append(em.likelihoods(p), 1.0)[em.cells.pattern] > 0)
    total = expected.exits.sum()
    told = float(mass[used & known.known].sum())
    failure = np.where(_tried(expected, em) > 0, p.failure[:, 0], np.nan)[:N_STATES]
    once = {
        "stays": float(known.n),
        "no_later_news": float((used & ~known.known & ~contacted).sum()),
        "never_at_risk": float((~used & never_at_risk).sum()),
        "without_likelihood": float((~used & ~never_at_risk).sum() + impossible.sum()),
        "failures": float(failed.sum()),
        "presences": float((about.kind == PRESENT).sum()),
        "gone_fail_less": float(bool((failure[2:] <= failure[:2]).any())),
        "share_never_heard": float(max(total - told, 0.0) / total) if total > 0 else 0.0,
        **{name: float(count) for name, count in known.counts.items()},
        "spread": np.nan,  # filled in where the supported months are known
        "iterations": float(fit.iterations),
        "converged": float(fit.converged),
    }  # fmt: skip
    once |= {name: float(p.failure[N_STATES + k, 0]) for k, name in enumerate(em.cells.further)}
    if known.doubted is not None:
        once["taken_as_false"] = float(expected.failed[N_STATES:].sum())
    shape = getattr(p, "shape", None)
    if shape is not None:
        once["service_shape"] = float(shape[0, 0])
        once["service_shape_at_cap"] = float(shape[0, 0] >= 0.999 * em.shape_cap)
    rows += [(name, 0, None, value) for name, value in once.items()]
    return pd.DataFrame(rows, columns=["check", "cause", "period", "value"])


def _tried(expected: Expected, em: ObservationEM) -> Integers:
    return expected.failed[:, 0] + em.cells.succeeded.sum(axis=0)


def notes_of(checks: pd.DataFrame, known: Ascertained, least: int, borrowed: bool) -> tuple[str, ...]:
    """A sentence for everything that a reader of the curve must know; none where there is nothing to say."""
    # sums of each check, of all causes or of one
    values = checks["value"].to_numpy(dtype=float)
    sums: dict[object, float] = defaultdict(float)
    for check, cause, value in zip(checks["check"], checks["cause"], np.nan_to_num(values), strict=True):
        sums[check] += value
        sums[check, cause] += value

    def n(*check: object) -> int:
        return int(sums[check if len(check) > 1 else check[0]])

    attempts = n("failures") + n("presences") + n("exits_found_by_contact")
    notes = []
    if attempts and not n("failures"):
        notes.append("No failed contact is recorded: contacts are taken to have reached whoever was still there.")
    if n("failures") and not n("presences") and not n("exits_found_by_contact"):
        notes.append("All scheduled contacts failed: they say nothing of who had left, and are not used.")
    if not attempts:
        notes.append("There is no scheduled contact: nothing says how many departures are never heard of.")
    exits = sums["exits_found_by_contact"] + sums["exits_heard"]
    named = exits - sums["exits_found_by_contact", 0] - sums["exits_heard", 0]
    if not exits:
        notes.append("No exit is known." + ("" if borrowed else " Everybody is taken to have stayed."))
    elif not named and len(known.names) > 1:
        notes.append("No destination is known: how exits are shared between causes is a convention.")
    for name in known.names:
        found, heard = (n(check, int(name)) for check in ("exits_found_by_contact", "exits_heard"))
        if not borrowed and found < least and found + heard:
            notes.append(
                f"Cause {int(name)}: {found} exits were found by a contact before any news, under {least}: how such "
                "exits are heard of is not learnt here."
            )
        if named and not found + heard:
            notes.append(f"Cause {int(name)}: no exit is known." + ("" if borrowed else " Its incidence is 0."))
    if sums["taken_as_false"]:
        notes.append(f"Presences contradict reports of departure: about {n('taken_as_false')} are taken to be false.")
    elif n("contradictions"):
        notes.append(f"{n('contradictions')} presences after a known departure contradict it and were set aside.")
    if n("after_cutoff"):
        notes.append(f"{n('after_cutoff')} rows after the cut-off of their stay were not used.")
    if n("without_likelihood"):
        notes.append(f"{n('without_likelihood')} stays are not possible as they were told and were left out.")
    if n("gone_fail_less"):
        notes.append("Contacts failed no more for those who left than for those who stayed: the model learnt little.")
    if sums["service_shape_at_cap"]:
        notes.append("Persons were served as if all alike: the shape of their differences is at its largest value.")
    if sums["spread"] > AGREE:
        notes.append(f"Fits from other starts differ by up to {sums['spread']:.1g}: the maximum is flat.")
    if not sums["converged"]:
        notes.append("The fit had not come to rest at the largest number of iterations.")
    return tuple(notes)
