"""The typology of a study: from residence spells to a few types of trajectory, each with a name, as tidy tables.

Line: who is observable → their monthly states → distances between distinct sequences → Ward → as many types as the
silhouette asks for → a name by rule → how stable, how large, where. The types are a summary:
a person of a type resembles its centre more than the others', and may have lived something of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..exceptions import TooFewError
from ..notebook_objects import as_html, plot, to_frame
from ..study import Study
from ..tables import PROVINCE
from .clusters import KS, choose_k, clusters, representatives, silhouette, stability
from .distances import between, settle
from .drawn import drawn_shares
from .indicators import INDICATORS, indicators, mean_time, runs
from .naming import dominant, rules, unique_names
from .observable import MONTHS, observable
from .shares import shares_of
from .states import Distinct, alphabet, coded, distinct

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


def typology(
    spells: pd.DataFrame,
    cohort: pd.DataFrame,
    *,
    study: Study,
    contacts: pd.DataFrame | None = None,
    months: int = MONTHS,
    method: str = "om",
    costs="constant",
    indel: float = 1.0,
    k: int | None = None,
) -> Typology:
    """
    The types of trajectory of those who settled en région.

    Parameters
    ----------
    spells, cohort : DataFrame
        The tables of those names, of the study's perimeter.
    study : Study
        Its pathway, groups, seed, draws, replicates (100 at most, for stability) and threshold are used.
    contacts : DataFrame, optional
        The table of that name. With it the shares are also estimated with departures drawn from the observation
        model for those not known to have left (`shares`, method `drawn`).
    months : int
        The window, and the observable months asked of a person (observable.py says what observable means).
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
    seen = observable(spells, cohort, study=study, months=months)
    enters = seen.persons["weight"].to_numpy() > 0
    persons, lived = seen.persons[enters].reset_index(drop=True), seen.sequences[enters]
    if persons.empty:
        raise TooFewError(
            f"typology: of {seen.excluded['n_persons'].sum()} person(s) with a stay nobody is observable over "
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
        apart, labels, weights=w, row=np.searchsorted(core, rows.which[inside]),
        household=persons["household_id"][inside], replicates=min(study.replicates, REPLICATES), seed=study.seed,
    )  # fmt: skip
    distinct_lived = lived.iloc[rows.first].reset_index(drop=True)
    own = rules(distinct_lived)
    named = dominant(own, kind, rows.weight)
    named["name"] = unique_names(named)
    type_of = kind[rows.which]
    members = persons[["person_id", "household_id", "region"]].assign(
        type=type_of + 1, name=named["name"].to_numpy()[type_of], rule=own["rule"].to_numpy()[rows.which],
        weight=weight, silhouette=width[rows.which],
    )  # fmt: skip
    centre = distinct_lived.iloc[centres].set_axis(named["name"], axis=0)
    shares = shares_of(members, study)
    if contacts is not None:
        drawn = drawn_shares(seen, cohort, contacts, codes[centres], measure, alphabet(them.labels), study)
        names = dict(enumerate(named["name"], start=1))
        shares = pd.concat([shares, drawn.assign(name=drawn["type"].map(names))[shares.columns]], ignore_index=True)
    return Typology(
        _types(members, persons, named, centre, shares, firm, ~inside), members, _states(members, lived),
        _runs(centre, members), _index(members, distinct_lived, rows), _indicators(members, lived), shares, ks,
        seen.excluded,
    )  # fmt: skip


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
    wanted = int(ks.loc[ks["chosen"], "k"].iloc[0]) if k is None else k
    return ks, clusters(apart, wanted, weights=w)


def _types(
    members: pd.DataFrame, persons: pd.DataFrame, named: pd.DataFrame, centre: pd.DataFrame, shares: pd.DataFrame,
    firm: pd.DataFrame, outside: np.ndarray,
) -> pd.DataFrame:  # fmt: skip
    whole = shares[shares["group"].eq(PROVINCE) & shares["method"].eq("as_heard_of")].set_index("type")
    told = runs(centre).assign(text=lambda run: run["state"] + " " + run["months"].astype(str))
    texts = told.groupby("person_id", sort=False)["text"].agg(", ".join)
    w = members["weight"]
    by = members["type"]

    def mean(values: pd.Series, weights: pd.Series = w) -> np.ndarray:
        kept = values.notna()
        top, bottom = ((v * weights)[kept].groupby(by[kept]).sum().reindex(whole.index) for v in (values, kept))
        return (top / bottom.where(bottom > 0)).to_numpy(dtype=float)

    agreement = members["rule"].eq(named["rule"].to_numpy()[by - 1]).astype(float)
    changes = persons["changes"].where(persons["changes"] > 0)
    return pd.DataFrame({
        "type": whole.index, "name": named["name"].to_numpy(), "rule": named["rule"].to_numpy(),
        "month": named["month"].to_numpy(dtype=float), "n_persons": by.value_counts().sort_index().to_numpy(),
        "n_households": members.groupby("type")["household_id"].nunique().to_numpy(),
        "share": whole["estimate"].to_numpy(), "se": whole["se"].to_numpy(), "lower": whole["lower"].to_numpy(),
        "upper": whole["upper"].to_numpy(), "representative": texts.reindex(named["name"]).to_numpy(),
        "silhouette": mean(members["silhouette"]), "jaccard": firm["jaccard"].to_numpy(),
        "recovered": firm["recovered"].to_numpy(), "dissolved": firm["dissolved"].to_numpy(),
        "agreement": mean(agreement), "confirmed": mean(persons["confirmed"] / centre.shape[1]),
        "uncertain": mean(persons["uncertain"] / changes, w * persons["changes"]),
        "nearest": pd.Series(outside).groupby(by).sum().to_numpy(),
    })  # fmt: skip


def _states(members: pd.DataFrame, lived: pd.DataFrame) -> pd.DataFrame:
    """Share of each type in each state, month by month."""
    them = coded(lived)
    tables = []
    for (number, name), rows in members.groupby(["type", "name"]).indices.items():
        codes, w = them.codes[rows], members["weight"].to_numpy()[rows]
        for code, state in enumerate(them.labels):
            there = codes == code
            tables.append(pd.DataFrame({
                "type": number, "name": name, "month": np.arange(codes.shape[1]), "state": state,
                "share": w @ there / w.sum(), "n": there.sum(axis=0),
            }))  # fmt: skip
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
        w, some = members["weight"].to_numpy()[rows], values.iloc[rows]
        means = w @ some.to_numpy(dtype=float) / w.sum()
        spread = np.sqrt(w @ (some.to_numpy(dtype=float) - means) ** 2 / w.sum() / len(rows))
        spent = mean_time(lived.iloc[rows], weights=w)
        tables.append(pd.DataFrame({
            "type": number, "name": name, "measure": [*INDICATORS, *("months_" + spent["state"])],
            "estimate": [*means, *spent["months"]], "se": [*spread, *spent["se"]], "n_start": len(rows),
        }))  # fmt: skip
    return pd.concat(tables, ignore_index=True)
