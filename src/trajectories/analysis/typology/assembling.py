"""The typology of a study: from residence spells to a few types of trajectory, each with a name, as tidy tables.

Line: who is observable → their monthly states → distances between distinct sequences → Ward → as many types as the
silhouette asks for → a name by rule → how stable, how large, where. The types are a summary:
a person of a type resembles its centre more than the others', and may have lived something of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ...display import as_html, plot, to_frame
from ...exceptions import TooFewError
from ...months import months_between
from ...retention.model_input import CAUSES, model_input, stays_that_enter
from ...study import Study
from ...survival.checks import NORMAL_975
from ...tables import PROVINCE, REGION, UNKNOWN
from .clusters import KS, choose_k, clusters, representatives, silhouette, stability
from .distances import Measure, between, settle
from .naming import EARLY, INDICATORS, dominant, indicators, mean_time, rules, runs, unique_names
from .sequences import Distinct, alphabet, coded, distinct, sequences

# ----------------------------------------------------------------------------------------------------
# Who has a trajectory that can be seen: observable months, who is left out and why, and who stands for whom.
#
# **Observable** is decided by the calendar and by who could have told, never by what was told. The 36 months of the
# window must lie before the month until which the stay could be heard of (`heard_until` of the cohort: the cut-off, or
# the last deposit of every organisation that could tell, whichever is first). Within them a person is carried where
# they were last known to be. To ask for a confirmed presence at month 36 instead would keep every departure ever heard
# of and drop the stayers whom nobody called (design.md, rule 4): it would condition on the future. Hence who is lost
# to follow-up stays in and is carried; that their departures may never be heard of makes `stays` too large, which the
# column `confirmed` shows and draws from the observation model (typology, `contacts`) correct.
#
# One reason to be left out depends on the course itself: who left for an unknown place has no state. Those who left
# within the same twelve months for a known place stand for them, by a weight (observation-model.md: that the place was
# written down does not depend on which it is). Deaths within the window are left out and counted; nobody stands for
# them.

# « At least 36 observable months », and the window that all sequences have in common.
MONTHS = 36
REASONS = (
    "start_unbounded",
    "start_wider_than_3_months",
    "established_too_late",
    "died",
    "not_heard_of_long_enough",
    "region_unknown",
    "destination_unknown",
)
# A change of place known less precisely than this is told of (the width from which a start is not used either).
WIDE = 3.0


@dataclass(frozen=True)
class Observable:
    """
    The persons of a typology.

    Attributes
    ----------
    persons : one row a person who enters, or who left for an unknown place: person_id, household_id, region, weight
        (0 for the latter), confirmed (months of the window before the last confirmed presence), uncertain (changes of
        place known to more than three months), changes (all of them)
    sequences : their states, in the same order
    excluded : why, n_persons, n_households, share (of all with a first stay; one row a reason, and `none`)
    """

    persons: pd.DataFrame
    sequences: pd.DataFrame
    excluded: pd.DataFrame


def observable(spells: pd.DataFrame, cohort: pd.DataFrame, *, study: Study, months: int = MONTHS) -> Observable:
    """
    The persons whose trajectory over the window can be seen, and why the others' cannot.

    Parameters
    ----------
    spells, cohort : DataFrame
        The tables `spells` and `cohort`, of one perimeter.
    study : Study
        Its pathway is used: that of the first stay.
    months : int
        The window, since the first establishment en région.
    """
    first = cohort[cohort["episode"].eq(1)].drop_duplicates("person_id")
    if study.pathway is not None:
        first = first[first["pathway"].eq(study.pathway)]
    first = first.sort_values("person_id", ignore_index=True)
    spells = spells[spells["person_id"].isin(first["person_id"])]
    lived = sequences(spells, months)
    states = lived.reindex(first["person_id"]).to_numpy(dtype=object)
    dead = spells[spells["outcome"].eq("deceased")].drop_duplicates("person_id", keep="last").set_index("person_id")
    death = first["person_id"].map(dead["end_earliest"]).astype("datetime64[ns]")
    reached = first["heard_until"].fillna(first["cutoff"]).to_numpy(dtype=float)
    # the last cell is the (months − 1)-th anniversary, but months of observation are asked for: the last is whole too
    is_known = pd.notna(states[:, 0])
    why = np.select(
        [
            first["excluded"].notna(),
            first["cutoff"].to_numpy(dtype=float) < months,
            months_between(first["establishment_latest"], death) < months,
            reached < months,
            ~is_known,
            (states == UNKNOWN).any(axis=1),
        ],
        ["", "established_too_late", "died", "not_heard_of_long_enough", "region_unknown", "destination_unknown"],
        "none",
    ).astype(object)
    why = np.where(why == "", first["excluded"].to_numpy(dtype=object), why)
    followed = np.isin(why, ("none", "destination_unknown"))
    persons = first.loc[followed, ["person_id", "household_id", "region", "establishment_latest"]].reset_index(
        drop=True
    )
    persons["weight"] = _weights(states[followed], why[followed] == "none")
    persons = persons.join(_certainty(spells, persons, months)).drop(columns="establishment_latest")
    frame = pd.DataFrame(states[followed], index=pd.Index(persons["person_id"], name="person_id"))
    return Observable(persons, frame, _excluded(first, why))


def _weights(states: np.ndarray, is_known: np.ndarray) -> np.ndarray:
    """How many persons each stands for: 1, more for those who left for a known place, 0 for an unknown place."""
    away = states != REGION
    departed = away.any(axis=1)
    early = away.argmax(axis=1) < EARLY
    weight = is_known.astype(float)
    for band in (departed & early, departed & ~early):
        n_known, n_silent = int((band & is_known).sum()), int((band & ~is_known).sum())
        if n_known:
            weight[band & is_known] = (n_known + n_silent) / n_known
        elif n_silent and (departed & is_known).any():
            # nobody left for a known place in these months: all who did in others
            weight[departed & is_known] *= 1 + n_silent / (departed & is_known).sum()
    return weight


def _certainty(spells: pd.DataFrame, persons: pd.DataFrame, months: int) -> pd.DataFrame:
    """confirmed, uncertain and changes, in the order of persons."""
    start = persons.set_index("person_id")["establishment_latest"]
    last = spells.groupby("person_id")["last_confirmed"].max().reindex(start.index)
    confirmed = np.clip(np.nan_to_num(months_between(start, last)), 0, months)
    known_spells = spells[spells["person_id"].isin(start.index)]
    since = months_between(known_spells["person_id"].map(start), known_spells["start_latest"])
    # a move within the region of the spell before changes no state
    area = known_spells["region"].where(known_spells["zone"].eq(REGION), known_spells["zone"])
    inside = (since > 0) & (since <= months) & area.ne(area.shift()).to_numpy()
    wide = months_between(known_spells["start_earliest"], known_spells["start_latest"])
    wide = inside & ~(wide <= WIDE)
    by = pd.DataFrame({"uncertain": wide, "changes": inside}).groupby(known_spells["person_id"].to_numpy()).sum()
    return by.reindex(start.index, fill_value=0).reset_index(drop=True).assign(confirmed=confirmed)


def _excluded(first: pd.DataFrame, why: np.ndarray) -> pd.DataFrame:
    """One row a reason of `REASONS`, and `none` for those who enter."""
    counted = first.assign(why=why).groupby("why")[["person_id", "household_id"]].nunique()
    counted = counted.reindex(["none", *REASONS], fill_value=0).reset_index(names="why")
    counted = counted.rename(columns={"person_id": "n_persons", "household_id": "n_households"})
    return counted.assign(share=counted["n_persons"] / max(len(first), 1))


# ----------------------------------------------------------------------------------------------------
# How large each type is: in the province, in each region, in each group of the study.
#
# Standard errors are clustered on households (linearised for a ratio), the types being taken as given; what their own
# uncertainty is, the stability says. Limits are of the logit (Wilson's idea): never outside 0–1.

COLUMNS = (
    "measure", "group", "type", "name", "method", "estimate", "se", "lower", "upper", "n_start", "n_households",
)  # fmt: skip


def shares_of(members: pd.DataFrame, study: Study) -> pd.DataFrame:
    """
    The share of each type in each group.

    Parameters
    ----------
    members : DataFrame
        The table `members`: household_id, region, type, name, weight.
    study : Study
        For the groups it names.

    Returns
    -------
    DataFrame
        measure (`type_share`), group, type, name, method (`as_heard_of`), estimate, se, lower, upper (95 %), n_start
        (persons), n_households. Every type has a row in every group, whoever is in it; limits of a share of 0 or 1 are
        not estimated.
    """
    names = members.drop_duplicates("type").set_index("type")["name"].sort_index()
    tables = [
        _group(rows, group, names)
        for group, chosen in groups_of(members["region"], study).items()
        if len(rows := members[chosen])
    ]
    return pd.concat(tables, ignore_index=True)[list(COLUMNS)]


def groups_of(region: pd.Series, study: Study) -> dict[str, np.ndarray]:
    """Who is in each group: everyone, each region met, each group of the study."""
    chosen = {PROVINCE: np.ones(len(region), dtype=bool)}
    chosen |= {code: region.eq(code).to_numpy() for code in sorted(region.dropna().unique())}
    return chosen | {name: region.isin(codes).to_numpy() for name, codes in study.groups.items()}


def _group(rows: pd.DataFrame, group: str, names: pd.Series) -> pd.DataFrame:
    marks = rows["type"].to_numpy()[:, None] == names.index.to_numpy()
    estimate, se = clustered_shares(marks, rows["weight"].to_numpy(), rows["household_id"])
    lower, upper = logit_limits(estimate, se)
    return pd.DataFrame(
        {
            "measure": "type_share",
            "group": group,
            "type": names.index,
            "name": names.to_numpy(),
            "method": "as_heard_of",
            "estimate": estimate,
            "se": se,
            "lower": lower,
            "upper": upper,
            "n_start": len(rows),
            "n_households": rows["household_id"].nunique(),
        }
    )


def clustered_shares(marks: np.ndarray, weight: np.ndarray, household) -> tuple[np.ndarray, np.ndarray]:
    """
    Weighted shares of each column of marks, and their standard errors with households as clusters.

    Examples
    --------
    >>> [v.round(3).tolist() for v in clustered_shares(np.array([[1], [0], [1], [0]]), np.ones(4), list("aabb"))]
    [[0.5], [0.0]]
    """
    total = weight.sum()
    share = weight @ marks / total
    which, households = pd.factorize(np.asarray(household, dtype=object))
    sums = np.zeros((len(households), marks.shape[1]))
    np.add.at(sums, which, weight[:, None] * (marks - share))
    return share, np.sqrt((sums**2).sum(axis=0)) / total


def logit_limits(estimate: np.ndarray, se: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """95 % limits on the logit scale; NaN where the share is 0 or 1."""
    inside = (estimate > 0) & (estimate < 1)
    p = np.where(inside, estimate, 0.5)
    centre, half = np.log(p / (1 - p)), NORMAL_975 * se / (p * (1 - p))
    low, high = (np.where(inside, 1 / (1 + np.exp(-(centre + sign * half))), np.nan) for sign in (-1, 1))
    return low, high


# ----------------------------------------------------------------------------------------------------
# The same types, with the departures that nobody heard of: shares under draws from the observation model.
#
# Sequences need one time a person, and the line gives one where a departure was heard of. For the others the main
# estimator (observation-model.md) says how likely it is that they left unheard, when and where to: m draws of (month,
# destination) from that fit complete their sequences, each draw is laid beside the centres of the types (which stay as
# they are), and the shares are joined by Rubin's rules (1987). Who left for an unknown place takes the destination of
# the draw, and needs no one to stand for them.
#
# After a drawn departure the person stays where they went: what follows a move that nobody heard of is not known.


def drawn_shares(
    followed: Observable,
    cohort: pd.DataFrame,
    contacts: pd.DataFrame,
    centres: np.ndarray,
    measure: Measure,
    labels: tuple[str, ...],
    study: Study,
) -> pd.DataFrame:
    """
    The share of each type in each group, with drawn departures.

    Parameters
    ----------
    followed : Observable
    cohort, contacts : DataFrame
        The tables `cohort` and `contacts`.
    centres : ndarray of codes, types × months
        The representatives, in the order of the types.
    measure : Measure
        The distance of the typology.
    labels : tuple of str
        What the codes of `centres` stand for.
    study : Study
        Its draws and seed are used.

    Returns
    -------
    DataFrame
        As `shares_of`, without `name`; method `drawn`; se of Rubin's rules.
    """
    stays = stays_that_enter(cohort, study)
    # with replicates, each draw is made at the parameters of another: the model's own uncertainty is then in it
    fit = model_input(stays, contacts).fit(study, replicates=min(study.replicates, study.draws))
    position = pd.Series(np.arange(len(stays)), index=stays["person_id"])[stays["episode"].eq(1).to_numpy()]
    at = position.reindex(followed.persons["person_id"])
    usable = at.notna().to_numpy()
    persons, states = followed.persons[usable], followed.sequences[usable].to_numpy(dtype=object)
    at = at[usable].to_numpy(dtype=np.int64)
    household = persons["household_id"]
    groups = {name: chosen for name, chosen in groups_of(persons["region"], study).items() if chosen.any()}
    draws = [
        _types_of_draw(_completed(states, draw[at, 0], draw[at, 1]), centres, measure, labels)
        for draw in fit.draw(study.draws, study.seed)
    ]
    shares = []
    for group, chosen in groups.items():
        by_draw = [
            clustered_shares(kind[chosen][:, None] == np.arange(len(centres)), np.ones(chosen.sum()), household[chosen])
            for kind in draws
        ]
        estimates, within = np.stack([e for e, _ in by_draw]), np.stack([se**2 for _, se in by_draw])
        between_draws = estimates.var(axis=0, ddof=1) if len(draws) > 1 else np.zeros(len(centres))
        estimate = estimates.mean(axis=0)
        se = np.sqrt(within.mean(axis=0) + (1 + 1 / len(draws)) * between_draws)
        lower, upper = logit_limits(estimate, se)
        shares.append(
            pd.DataFrame(
                {
                    "measure": "type_share",
                    "group": group,
                    "type": np.arange(1, len(centres) + 1),
                    "method": "drawn",
                    "estimate": estimate,
                    "se": se,
                    "lower": lower,
                    "upper": upper,
                    "n_start": int(chosen.sum()),
                    "n_households": household[chosen].nunique(),
                }
            )
        )
    return pd.concat(shares, ignore_index=True)[[name for name in COLUMNS if name != "name"]]


def _completed(states: np.ndarray, month: np.ndarray, cause: np.ndarray) -> np.ndarray:
    """The sequences with the drawn departure of those not known to have left, and the drawn place of the others."""
    states = states.copy()
    target = np.array([UNKNOWN, *CAUSES], dtype=object)[cause]
    stayed = (states == REGION).all(axis=1)
    grid = np.arange(states.shape[1])
    leaves = stayed & (cause > 0)
    gone = leaves[:, None] & (grid >= np.where(leaves, month, np.inf)[:, None])
    placeless = (states == UNKNOWN) & (cause > 0)[:, None]
    return np.where(gone | placeless, target[:, None], states)


def _types_of_draw(states: np.ndarray, centres: np.ndarray, measure: Measure, labels: tuple[str, ...]) -> np.ndarray:
    """The nearest centre of each sequence; a place that stays unknown is as the month before it."""
    frame = pd.DataFrame(states)
    unknown = frame.eq(UNKNOWN)
    frame = frame.mask(unknown).ffill(axis=1)
    flat, met = pd.factorize(frame.to_numpy(dtype=object).ravel())
    codes = pd.Index(labels).get_indexer(met).astype(np.uint8)[flat].reshape(states.shape)
    rows, which = np.unique(codes, axis=0, return_inverse=True)
    return np.argmin(between(centres, rows, measure), axis=0)[which]


# ----------------------------------------------------------------------------------------------------

# Distinct sequences that are clustered, the most frequent first; the others go to the type with the nearest centre.
# 8,000 take 0.8 GB; the dynamic programme of other costs takes time with the square of their number.
MOST, MOST_BY_PROGRAMME = 8_000, 1_500
# Samples of the stability check, at most: a mean of so many is known to a few hundredths.
REPLICATES = 100


@dataclass(frozen=True)
class Typology:
    """
    Tidy tables of one typology; `type` is its number, 1 the largest.

    Attributes
    ----------
    types : type, name (unique code), rule (code of naming.NAMES, that of most members), month (median of their first
        departure), n_persons, n_households, share (0–1, with those who left for an unknown place stood for), se,
        lower, upper (95 %, households), representative (the centre as runs, « region 7, metropole 29 »), silhouette
        (mean), jaccard, recovered, dissolved (clusters.stability, households drawn), agreement (share of members who
        come under that rule), confirmed (share of the members' months before their last confirmed presence), uncertain
        (share of their changes of place known to more than three months), nearest (persons assigned to the nearest
        centre only)
    members : person_id, household_id, region, type, name, rule (of the person's own sequence), weight, silhouette
    states : type, name, month (since establishment), state, share, n (persons)
    representatives : type, name, begin, end (months, both included), months, state: the centres as runs
    sequences : type, name, sequence (number, the most frequent first), begin, end, state, n_persons: what an index
        plot draws
    indicators : type, name, measure (an indicator, or months_<state>), estimate, se, n_start
    shares : measure, group (province, a region, a study group), type, name, method (as_heard_of; drawn), estimate, se,
        lower, upper, n_start, n_households
    ks : k, silhouette, smallest, chosen
    excluded : why (`none`: they enter), n_persons, n_households, share
    """

    types: pd.DataFrame
    members: pd.DataFrame
    states: pd.DataFrame
    representatives: pd.DataFrame
    sequences: pd.DataFrame
    indicators: pd.DataFrame
    shares: pd.DataFrame
    ks: pd.DataFrame
    excluded: pd.DataFrame

    _repr_html_ = as_html
    plot = plot
    to_frame = to_frame


def typology(  # noqa: PLR0913  # options by keyword, with defaults
    spells: pd.DataFrame,
    cohort: pd.DataFrame,
    *,
    study: Study,
    contacts: pd.DataFrame | None = None,
    months: int = MONTHS,
    method: str = "om",
    costs: str | ArrayLike = "constant",
    indel: float = 1.0,
    k: int | None = None,
) -> Typology:
    """
    The types of trajectory of those who settled en région.

    Parameters
    ----------
    spells, cohort : DataFrame
        The tables `spells` and `cohort`, of the study's perimeter.
    study : Study
        Its pathway, groups, seed, draws, replicates (100 at most, for stability) and threshold are used.
    contacts : DataFrame, optional
        The table `contacts`. With it the shares are also estimated with departures drawn from the observation
        model for those not known to have left (`shares`, method `drawn_table`).
    months : int
        The window, and the observable months asked of a person.
    method, costs, indel
        The distance, as in `distances`.
    k : int, optional
        Number of types; where not given, chosen from 2 to 8 by the average silhouette width among those whose smallest
        type holds as many persons as the study's disclosure threshold: a smaller type could not be shown.

    Returns
    -------
    Typology

    Raises
    ------
    ValueError
        Nobody is observable over the window.

    Notes
    -----
    Deterministic: distinct sequences are taken in lexical order, whatever the order of the persons. With costs from
    transition rates at most 1,500 distinct sequences are clustered, else 8,000.

    Examples
    --------
    >>> begun, back = pd.Timestamp("2019-01-15"), pd.Timestamp("2019-09-15")  # of six, three go back
    >>> cohort = pd.DataFrame({"person_id": list("abcdef"), "household_id": list("abcdef"), "episode": 1,
    ...     "region": "05", "excluded": None, "establishment_latest": begun, "cutoff": 60.0, "heard_until": 60.0})
    >>> here = cohort[["person_id", "region"]].assign(spell=1, zone="region", municipality="43027", start_latest=begun)
    >>> gone = here.tail(3).assign(spell=2, zone="metropole", municipality="66023", start_latest=back)
    >>> spells = pd.concat([here, gone]).assign(start_earliest=lambda f: f["start_latest"], end_earliest=pd.NaT,
    ...     end_latest=pd.NaT, last_confirmed=begun, outcome="present")
    >>> typology(spells, cohort, study=Study(replicates=20), k=2).types[["name", "n_persons"]].values.tolist()
    [['returns_early', 3], ['stays', 3]]
    """
    followed = observable(spells, cohort, study=study, months=months)
    enters = followed.persons["weight"].to_numpy() > 0
    persons, lived = followed.persons[enters].reset_index(drop=True), followed.sequences[enters]
    if persons.empty:
        raise TooFewError(
            f"typology: of {followed.excluded['n_persons'].sum()} person(s) with a stay nobody is observable over "
            f"{months} months."
        )
    weight = persons["weight"].to_numpy()
    them = coded(lived)
    rows = distinct(them.codes, weight)
    codes = them.codes[rows.first]
    measure = settle(them, method, costs, indel, weight)
    most = MOST if measure.is_indel or "hamming" in measure.method else MOST_BY_PROGRAMME
    core = np.sort(np.argsort(-rows.weight, kind="stable")[:most])
    apart, w = between(codes[core], None, measure), rows.weight[core]
    ks, labels = _labels(apart, w, k, study.disclosure.threshold)
    centres = core[representatives(apart, labels, weights=w).to_numpy()]
    number = np.argmin(between(codes[centres], codes, measure), axis=0)
    number[core] = labels - 1
    order = np.argsort(-np.bincount(number, rows.weight), kind="stable")
    rank = np.argsort(order)
    kind, labels, centres = rank[number], rank[labels - 1] + 1, centres[order]

    width = np.full(len(codes), np.nan)
    width[core] = silhouette(apart, labels, weights=w) if len(order) > 1 else np.nan
    inside = np.isin(rows.which, core)
    firm = stability(
        apart,
        labels,
        weights=w,
        row=np.searchsorted(core, rows.which[inside]),
        household=persons["household_id"][inside],
        replicates=min(study.replicates, REPLICATES),
        seed=study.seed,
    )
    distinct_lived = lived.iloc[rows.first].reset_index(drop=True)
    own_rules = rules(distinct_lived)
    named = dominant(own_rules, kind, rows.weight)
    named["name"] = unique_names(named)
    type_of = kind[rows.which]
    members = persons[["person_id", "household_id", "region"]].assign(
        type=type_of + 1,
        name=named["name"].to_numpy()[type_of],
        rule=own_rules["rule"].to_numpy()[rows.which],
        weight=weight,
        silhouette=width[rows.which],
    )
    centre = distinct_lived.iloc[centres].set_axis(named["name"], axis=0)
    shares = shares_of(members, study)
    if contacts is not None:
        drawn_table = drawn_shares(followed, cohort, contacts, codes[centres], measure, alphabet(them.labels), study)
        names = dict(enumerate(named["name"], start=1))
        shares = pd.concat(
            [shares, drawn_table.assign(name=drawn_table["type"].map(names))[shares.columns]], ignore_index=True
        )
    return Typology(
        _types(members, persons, named, centre, shares, firm, ~inside),
        members,
        _states(members, lived),
        _runs(centre, members),
        _index(members, distinct_lived, rows),
        _indicators(members, lived),
        shares,
        ks,
        followed.excluded,
    )


def _labels(apart: np.ndarray, w: np.ndarray, k: int | None, least: int) -> tuple[pd.DataFrame, np.ndarray]:
    """The widths of every k and the labels of the one chosen; who are too alike to be told apart are one type."""
    if k is None and len(apart) < 3:
        ks = pd.DataFrame({"k": [1], "silhouette": [np.nan], "smallest": [w.sum()], "chosen": [True]})
        return ks, np.ones(len(apart), dtype=np.int64)
    ks = (
        choose_k(apart, KS, weights=w, least=least)
        if len(apart) > 2
        else pd.DataFrame(columns=["k", "silhouette", "smallest"])
    )
    ks = ks if k is None else ks.assign(chosen=ks["k"].eq(k))
    n_types = int(ks.loc[ks["chosen"], "k"].iloc[0]) if k is None else k
    return ks, clusters(apart, n_types, weights=w)


def _types(
    members: pd.DataFrame,
    persons: pd.DataFrame,
    named: pd.DataFrame,
    centre: pd.DataFrame,
    shares: pd.DataFrame,
    firm: pd.DataFrame,
    outside: np.ndarray,
) -> pd.DataFrame:
    provincial = shares[shares["group"].eq(PROVINCE) & shares["method"].eq("as_heard_of")].set_index("type")
    centre_runs = runs(centre).assign(text=lambda run: run["state"] + " " + run["months"].astype(str))
    texts = centre_runs.groupby("person_id", sort=False)["text"].agg(", ".join)
    w = members["weight"]
    by = members["type"]

    def mean(values: pd.Series, weights: pd.Series = w) -> np.ndarray:
        is_known = values.notna()
        top, bottom = (
            (v * weights)[is_known].groupby(by[is_known]).sum().reindex(provincial.index) for v in (values, is_known)
        )
        return (top / bottom.where(bottom > 0)).to_numpy(dtype=float)

    agreement = members["rule"].eq(named["rule"].to_numpy()[by - 1]).astype(float)
    changes = persons["changes"].where(persons["changes"] > 0)
    return pd.DataFrame(
        {
            "type": provincial.index,
            "name": named["name"].to_numpy(),
            "rule": named["rule"].to_numpy(),
            "month": named["month"].to_numpy(dtype=float),
            "n_persons": by.value_counts().sort_index().to_numpy(),
            "n_households": members.groupby("type")["household_id"].nunique().to_numpy(),
            "share": provincial["estimate"].to_numpy(),
            "se": provincial["se"].to_numpy(),
            "lower": provincial["lower"].to_numpy(),
            "upper": provincial["upper"].to_numpy(),
            "representative": texts.reindex(named["name"]).to_numpy(),
            "silhouette": mean(members["silhouette"]),
            "jaccard": firm["jaccard"].to_numpy(),
            "recovered": firm["recovered"].to_numpy(),
            "dissolved": firm["dissolved"].to_numpy(),
            "agreement": mean(agreement),
            "confirmed": mean(persons["confirmed"] / centre.shape[1]),
            "uncertain": mean(persons["uncertain"] / changes, w * persons["changes"]),
            "nearest": pd.Series(outside).groupby(by).sum().to_numpy(),
        }
    )


def _states(members: pd.DataFrame, lived: pd.DataFrame) -> pd.DataFrame:
    """Share of each type in each state, month by month."""
    them = coded(lived)
    tables = []
    for (number, name), rows in members.groupby(["type", "name"]).indices.items():
        codes, w = them.codes[rows], members["weight"].to_numpy()[rows]
        for code, state in enumerate(them.labels):
            in_type = codes == code
            tables.append(
                pd.DataFrame(
                    {
                        "type": number,
                        "name": name,
                        "month": np.arange(codes.shape[1]),
                        "state": state,
                        "share": w @ in_type / w.sum(),
                        "n": in_type.sum(axis=0),
                    }
                )
            )
    return pd.concat(tables, ignore_index=True).sort_values(["type", "month", "state"], ignore_index=True)


def _runs(centre: pd.DataFrame, members: pd.DataFrame) -> pd.DataFrame:
    numbers = members.drop_duplicates("name").set_index("name")["type"]
    table = runs(centre).rename(columns={"person_id": "name"})
    return table.assign(type=table["name"].map(numbers))[["type", "name", "begin", "end", "months", "state"]]


def _index(members: pd.DataFrame, distinct_lived: pd.DataFrame, rows: Distinct) -> pd.DataFrame:
    """Every distinct sequence as runs, with how many persons of its type have it."""
    counted = pd.DataFrame({"row": rows.which, "type": members["type"], "name": members["name"]})
    counted = counted.groupby(["row", "type", "name"]).size().rename("n_persons").reset_index()
    counted = counted.sort_values(["type", "n_persons", "row"], ascending=[True, False, True])
    counted["sequence"] = counted.groupby("type").cumcount() + 1
    table = counted.merge(runs(distinct_lived).rename(columns={"person_id": "row"}), on="row")
    return table[["type", "name", "sequence", "begin", "end", "state", "n_persons"]]


def _indicators(members: pd.DataFrame, lived: pd.DataFrame) -> pd.DataFrame:
    """Mean of each indicator and of the months in each state, by type."""
    values = indicators(lived)
    tables = []
    for (number, name), rows in members.groupby(["type", "name"]).indices.items():
        w, chosen_values = members["weight"].to_numpy()[rows], values.iloc[rows]
        means = w @ chosen_values.to_numpy(dtype=float) / w.sum()
        spread = np.sqrt(w @ (chosen_values.to_numpy(dtype=float) - means) ** 2 / w.sum() / len(rows))
        spent = mean_time(lived.iloc[rows], weights=w)
        tables.append(
            pd.DataFrame(
                {
                    "type": number,
                    "name": name,
                    "measure": [*INDICATORS, *("months_" + spent["state"])],
                    "estimate": [*means, *spent["months"]],
                    "se": [*spread, *spent["se"]],
                    "n_start": len(rows),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)
