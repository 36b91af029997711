"""The weights of the linkage: the evidence of each level of agreement, under three hypotheses.

Two identities are of the same person, of relatives (two members of one household) or of strangers. For each level of
each trait the model holds its probability under each hypothesis (`m`, `relative`, `u`). With only two hypotheses, as in
Fellegi and Sunter (1969), twins and spouses who share a name, a day of arrival, a town and a country look like one
person: hence the third, relatives.

The shipped model is frozen and has a version; each build learns its weights starting from it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from ..exceptions import LinkageModelError
from .comparisons import COMPANIONS, LIKENESSES, MACROS, TRAITS, Trait

HYPOTHESES = ("same", "relative", "stranger")
_ALL = (*TRAITS, COMPANIONS)
# Positions of the levels of each trait.
_ENDS = np.cumsum([len(trait.levels) for trait in _ALL])
_PLACES = {trait.name: slice(end - len(trait.levels), end) for trait, end in zip(_ALL, _ENDS.tolist(), strict=True)}
_COLUMNS = {"same": "m", "relative": "relative", "stranger": "u"}


@dataclass(frozen=True)
class Model:
    """
    A linkage model.

    Attributes
    ----------
    version : str
        Written beside each link.
    trained_on : str
        Source of the probabilities, in words.
    partners, relatives : float
        Expected number, for an identity, of other identities of the same person, and of relatives.
    levels : DataFrame
        trait, level, m, relative, u: the probability of the level under each hypothesis, where the trait is stated.
    """

    version: str
    trained_on: str
    partners: float
    relatives: float
    levels: pd.DataFrame = field(repr=False)

    @classmethod
    def shipped(cls) -> Model:
        """The frozen model of this version of the library."""
        text = resources.files("trajectories.linkage").joinpath("model.json").read_text(encoding="utf-8")
        return cls.from_json(text, "model.json")

    @classmethod
    def read(cls, path: Path) -> Model:
        """A model that `trajectories train` wrote."""
        try:
            return cls.from_json(Path(path).read_text(encoding="utf-8"), str(path))
        except (OSError, UnicodeDecodeError) as error:
            raise LinkageModelError(
                f"{path} cannot be read ({type(error).__name__}): make a model with `trajectories train`, "
                "or take `linkage_model` out of study.toml to use the one that is shipped."
            ) from None

    @classmethod
    def from_json(cls, text: str, source: str) -> Model:
        """The model of a text in JSON, checked."""
        try:
            content = json.loads(text)
            rows = [
                (trait, level, *(float(p[_COLUMNS[h]]) for h in HYPOTHESES))
                for trait, levels in content["traits"].items()
                for level, p in levels.items()
            ]
            levels = pd.DataFrame(rows, columns=["trait", "level", "m", "relative", "u"])
            model = cls(
                content["version"],
                content["trained_on"],
                float(content["partners"]),
                float(content["relatives"]),
                levels,
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise LinkageModelError(f"{source} is no linkage model ({type(error).__name__}: {error}).") from None
        expected = [(t.name, level.name) for t in _ALL for level in t.levels]
        if list(zip(levels["trait"], levels["level"], strict=True)) != expected:
            raise LinkageModelError(
                f"{source} was made for other comparisons than those of this version: train it again."
            )
        probabilities = levels[["m", "relative", "u"]].to_numpy()
        if not (np.isfinite(probabilities).all() and (probabilities > 0).all() and (probabilities < 1).all()):
            raise LinkageModelError(f"{source} holds a probability that is not between 0 and 1.")
        return model

    def to_json(self) -> str:
        """The text of the model in JSON; equal models give equal texts."""
        traits: dict[str, dict[str, dict[str, float]]] = {}
        for row in self.levels.itertuples():
            traits.setdefault(row.trait, {})[row.level] = {
                "m": float(f"{row.m:.4g}"),
                "relative": float(f"{row.relative:.4g}"),
                "u": float(f"{row.u:.4g}"),
            }
        content = {
            "version": self.version,
            "trained_on": self.trained_on,
            "partners": round(self.partners, 4),
            "relatives": round(self.relatives, 4),
            "traits": traits,
        }
        return json.dumps(content, indent=1) + "\n"

    def probabilities(self, trait: Trait, column: str) -> np.ndarray:
        """One column (m, relative or u) of the levels of one trait, strongest first."""
        return self.levels[column].to_numpy()[_PLACES[trait.name]]

    def weights(self, trait: Trait, hypothesis: str) -> np.ndarray:
        """log2 of each level's probability under a hypothesis against strangers, strongest level first."""
        return np.log2(self.probabilities(trait, _COLUMNS[hypothesis]) / self.probabilities(trait, "u"))


def match_weights(model: Model | None = None) -> pd.DataFrame:
    """
    The match weight of each level of agreement, for a researcher to judge the linkage.

    Returns
    -------
    DataFrame
        trait, level, m, relative, u (probabilities under the three hypotheses), weight and relative_weight (log2 of
        m / u and of relative / u: 10 is a thousand to one).

    Examples
    --------
    >>> match_weights().query("trait == 'birth' and level == 'same_day'")["weight"].item() > 10
    True
    """
    levels = (model or Model.shipped()).levels
    return levels.assign(
        weight=np.log2(levels["m"] / levels["u"]), relative_weight=np.log2(levels["relative"] / levels["u"])
    )


# ----------------------------------------------------------------------------------------------------
# Pairs of identities → the probabilities that they are one person, relatives, or strangers.
#
# DuckDB computes the level of each trait for a pair (`compare`), independent of the model. The model weighs the levels
# under three hypotheses, rare names and countries more. The prior odds depend on the two files: of two organisations,
# of one, or of one household of one organisation. Last come the companions: whether other members of the two households
# match too.

# Probabilities are rounded before they are compared with thresholds, so that the last bits of a sum decide nothing.
DECIMALS = 6
# Companions count as linked from this probability on, computed without companions.
COMPANIONS_SURE = 0.99
# Pairs below both probabilities are dropped: linked companions multiply the odds of one person by 3,500 at most.
NEVER_SAME, NEVER_RELATIVES = 1e-6, 1e-2
# The prior odds are those of at least so many identities: among a few files too a shared name proves little.
FEWEST = 3_000
# Log2 prior odds of two files of one household of one organisation: of two members, or of one, never of strangers.
NO_STRANGERS = 30.0
# Expected other members of a file's household, at an organisation that numbers households.
MEMBERS = 2.0
# Expected relatives to whom one organisation gives another household number.
HOUSEHOLDS_APART = 0.05
_LINKED, _ALIKE, _UNKNOWN, _NOT_LINKED = range(4)
# Traits of a person, not of all the household; two members are alike from the weight `ALIKE` on.
_OWN = ("name", "initials", "part_of_name", "birth", "birth_year", "sex")
ALIKE = 12.0


@dataclass(frozen=True)
class Weights:
    """
    The weights of the pairs.

    Attributes
    ----------
    model : Model
        The weights of the levels.
    repeats : ndarray, shape (n_identities,)
        Expected number of other files that the organisation of each identity has of the same person.
    said : str
        A sentence: whether the weights were learnt from these deposits, or why not.
    learnt : bool
    """

    model: Model
    repeats: np.ndarray
    said: str = ""
    learnt: bool = False


def compare(connection: duckdb.DuckDBPyConnection, table: str) -> pd.DataFrame:
    """
    Each pair of a table (left, right) and its level on each trait (gamma_<trait>).

    Levels are numbered as in splink: 0 is the weakest, −1 where one of the two does not state the trait.
    """
    connection.execute(MACROS)
    columns = [row[0] for row in connection.execute("DESCRIBE identities").fetchall() if row[0] != "identity"]
    sides = ", ".join(f"l.{name} AS {name}_l, r.{name} AS {name}_r" for name in columns)
    likenesses = ", ".join(f"{sql} AS {name}" for name, sql in LIKENESSES.items())
    levels = ", ".join(f"{_level(trait)}::TINYINT AS gamma_{trait.name}" for trait in TRAITS)
    return connection.execute(
        f"SELECT first AS left, second AS right, {levels} FROM (SELECT *, {likenesses} FROM ("  # noqa: S608 (our own names)
        f"SELECT p.join_key_l AS first, p.join_key_r AS second, {sides} FROM {table} p "
        "JOIN identities l ON l.identity = p.join_key_l JOIN identities r ON r.identity = p.join_key_r))"
    ).df()


def _level(trait: Trait) -> str:
    top = len(trait.levels) - 1
    rungs = [f"WHEN {level.condition} THEN {top - i}" for i, level in enumerate(trait.levels) if level.condition]
    return f"CASE WHEN {trait.missing} THEN -1 {' '.join(rungs)} ELSE 0 END"


def weigh(
    pairs: pd.DataFrame,
    identities: pd.DataFrame,
    weights: Weights,
    compare_more: Callable[[pd.DataFrame], pd.DataFrame],
) -> pd.DataFrame:
    """
    The weighed pairs that may be one person or relatives, with further pairs of members of linked households.

    Parameters
    ----------
    pairs : DataFrame
        left, right and gamma_<trait>, as `compare` returns them.
    identities : DataFrame
        organisation, household and the columns whose rare values weigh more (`Level.rare`) of `Identities.table`.
    weights : Weights
    compare_more : callable
        Compares pairs (join_key_l, join_key_r) that no rule proposed.

    Returns
    -------
    DataFrame
        In order of (left, right): left, right, weight (log2, same person against strangers), relative_weight (log2,
        relatives against strangers), same, relative (probabilities, rounded to six decimals), companions (0 linked,
        1 alike, 2 unknown, 3 not linked), and gamma_<trait>.
    """
    pairs = _weighed(pairs, identities, weights)
    pairs = pairs[(pairs["same"] >= NEVER_SAME) | (pairs["relative"] >= NEVER_RELATIVES)]
    household = identities["household"].to_numpy()
    suggested = _suggested(pairs, household)
    if len(suggested):
        more = _weighed(compare_more(suggested), identities, weights)
        pairs = pd.concat([pairs, more], ignore_index=True)
    pairs = pairs.sort_values(["left", "right"], ignore_index=True)
    pairs["companions"] = _companions(pairs, household, weights.model)
    for column, hypothesis in (("weight", "same"), ("relative_weight", "relative")):
        pairs[column] += weights.model.weights(COMPANIONS, hypothesis)[pairs["companions"]]
    judged = _judged(pairs, identities, weights)
    return judged.round({name: DECIMALS for name in ("weight", "relative_weight", "same", "relative")})


def _weighed(pairs: pd.DataFrame, identities: pd.DataFrame, weights: Weights) -> pd.DataFrame:
    model = weights.model
    weighed = pairs.assign(
        weight=level_weight(pairs, model, "same") + _rarity(pairs, identities, model),
        relative_weight=level_weight(pairs, model, "relative"),
    )
    return _judged(weighed, identities, weights)


def _judged(pairs: pd.DataFrame, identities: pd.DataFrame, weights: Weights) -> pd.DataFrame:
    before = odds_before(pairs, identities, weights)
    same, relative = posterior(pairs["weight"].to_numpy() + before[0], pairs["relative_weight"].to_numpy() + before[1])
    return pairs.assign(same=same, relative=relative)


def level_weight(
    pairs: pd.DataFrame, model: Model, hypothesis: str, traits: Collection[str] | None = None
) -> np.ndarray:
    """log2 likelihood ratio of the levels of each pair (on these traits), of a hypothesis against strangers."""
    weight = np.zeros(len(pairs))
    for trait in (t for t in TRAITS if traits is None or t.name in traits):
        # levels are numbered from the weakest (0); −1 (not stated) takes the last element: no evidence
        by_gamma = np.append(model.weights(trait, hypothesis)[::-1], 0.0)
        weight += by_gamma[pairs[f"gamma_{trait.name}"].to_numpy()]
    return weight


def _rarity(pairs: pd.DataFrame, identities: pd.DataFrame, model: Model) -> np.ndarray:
    """log2 of how much rarer the shared name or country of each pair is than one that strangers share on average."""
    columns = {level.rare for trait in TRAITS for level in trait.levels if level.rare}
    codes, rarer = {}, {}
    for column in sorted(columns):
        code = codes[column] = pd.factorize(identities[column])[0]
        counts = np.bincount(code[code >= 0])
        # files of other persons with the same value: further files of one person do not make a name common
        often = (counts - 1 - model.partners).clip(0) + 0.5
        rarer[column] = np.log2((counts * often).sum() / max(counts.sum(), 1) / often)
    rarity = np.zeros(len(pairs))
    left, right = pairs["left"].to_numpy(), pairs["right"].to_numpy()
    for trait in TRAITS:
        gamma = pairs[f"gamma_{trait.name}"].to_numpy()
        for number, level in enumerate(reversed(trait.levels)):
            if level.rare:
                code = codes[level.rare]
                shared = (gamma == number) & (code[left] == code[right]) & (code[left] >= 0)
                rarity[shared] += rarer[level.rare][code[left[shared]]]
    return rarity


def odds_before(pairs: pd.DataFrame, identities: pd.DataFrame, weights: Weights) -> tuple[np.ndarray, np.ndarray]:
    """log2 prior odds of one person, and of relatives, against strangers."""
    left, right = pairs["left"].to_numpy(), pairs["right"].to_numpy()
    organisation = pd.factorize(identities["organisation"])[0]
    household = identities["household"].to_numpy()
    n = len(identities)
    among = max(n, FEWEST)
    of_one = np.bincount(organisation, minlength=1)[organisation[left]] * among / max(n, 1)
    inside = organisation[left] == organisation[right]
    numbered = (household[left] >= 0) & (household[right] >= 0)
    together = inside & numbered & (household[left] == household[right])
    repeats = weights.repeats[left]
    relatives = np.where(numbered, HOUSEHOLDS_APART, weights.model.relatives)
    kinds = [together, inside]
    same = np.select(
        kinds,
        [NO_STRANGERS + np.log2(repeats / MEMBERS), np.log2(repeats / of_one)],
        np.log2(weights.model.partners / among),
    )
    relative = np.select(
        kinds, [np.full(len(left), NO_STRANGERS), np.log2(relatives / of_one)], np.log2(weights.model.relatives / among)
    )
    return same, relative


def posterior(same: np.ndarray, relative: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The probabilities of one person and of relatives, from the log2 odds against strangers (Bayes)."""
    top = np.maximum(np.maximum(same, relative), 0.0)
    total = np.exp2(same - top) + np.exp2(relative - top) + np.exp2(-top)
    return np.exp2(same - top) / total, np.exp2(relative - top) / total


# ── companions ────────────────────────────────────────────────────────────────────────────────────────────
def _sure(pairs: pd.DataFrame) -> np.ndarray:
    return pairs["same"].to_numpy().round(DECIMALS) >= COMPANIONS_SURE


def _suggested(pairs: pd.DataFrame, household: np.ndarray) -> pd.DataFrame:
    """The pairs of members of two households linked by a sure pair that are not in `pairs` yet."""
    sure = pairs[_sure(pairs)]
    met = pd.DataFrame({"a": household[sure["left"]], "b": household[sure["right"]]})
    met = met[(met["a"] >= 0) & (met["b"] >= 0) & (met["a"] != met["b"])].drop_duplicates()
    members = pd.DataFrame({"household": household, "identity": np.arange(len(household))})
    combinations = met.merge(members, left_on="a", right_on="household").merge(
        members, left_on="b", right_on="household"
    )
    ends = combinations[["identity_x", "identity_y"]].to_numpy()
    proposed = pd.DataFrame({"join_key_l": ends.min(axis=1), "join_key_r": ends.max(axis=1)}).drop_duplicates()
    known = pd.MultiIndex.from_frame(pairs[["left", "right"]])
    return proposed[~pd.MultiIndex.from_frame(proposed).isin(known)].sort_values(["join_key_l", "join_key_r"])


def _companions(pairs: pd.DataFrame, household: np.ndarray, model: Model) -> np.ndarray:
    """For each pair, whether another member of the one household matches another member of the other."""
    ends = pairs[["left", "right"]].to_numpy()
    # the ends ordered by household, so that pairs of the same two households agree
    left, right = np.take_along_axis(ends, household[ends].argsort(axis=1, kind="stable"), axis=1).T
    household_left, household_right = household[left], household[right]
    both = (household_left >= 0) & (household_right >= 0) & (household_left != household_right)

    def others(flag: np.ndarray) -> np.ndarray:
        # whether flagged pairs between the two households remain without those that share an end with this one
        return both & (
            _count(flag, household_left, household_right)
            - _count(flag, left, household_right)
            - _count(flag, right, household_left)
            + flag
            > 0
        )

    own, related = (level_weight(pairs, model, hypothesis, _OWN) for hypothesis in ("same", "relative"))
    linked = others(_sure(pairs) & both)
    alike = others((own >= ALIKE) & (own > related + 1) & both)
    size = np.bincount(household[household >= 0], minlength=1)
    several = both & (size[np.maximum(household_left, 0)] > 1) & (size[np.maximum(household_right, 0)] > 1)
    return np.select([linked, alike, several], [_LINKED, _ALIKE, _NOT_LINKED], _UNKNOWN).astype(np.int8)


def _count(flag: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """For each row, how many flagged rows have the same (a, b)."""
    codes = pd.DataFrame({"a": a, "b": b}).groupby(["a", "b"], sort=False).ngroup().to_numpy()
    return np.bincount(codes, weights=flag, minlength=codes.max(initial=-1) + 1)[codes].astype(np.int64)


# ----------------------------------------------------------------------------------------------------
# The probabilities of the levels, learnt from the deposits without labels.
#
# Every build learns, starting from the shipped model (or the study's): partners type differently, and the evidence of a
# shared initial or year of birth depends on it. `u` is learnt from pairs drawn at random (strangers); `relative` from
# the members of one household in one organisation, which its own numbers distinguish; `m` by expectation-maximisation
# among the compared pairs, which also gives how many files each organisation has of one person: one, where it keeps a
# number for each, several, where numbers are new each year.
#
# A level that is never seen keeps its probability in the starting model.

# Random pairs for the strangers, and the seed of the draw; most files of which the household members are compared.
RANDOM_PAIRS, SEED, MOST_MEMBERS = 100_000, 1, 100_000
# Prior: the starting model counts as so many pairs on each level, so that a rare level keeps its probability.
PRIOR_PAIRS = 3
# Prior of the number of files of a person: so many files.
PRIOR_PARTNERS = 200
# Least expected number of pairs of the same person to learn from.
FEWEST_FOUND = 100
ITERATIONS, TOLERANCE = 200, 1e-4
# Prior of the files that an organisation has of one person beyond the first, and its weight in files.
REPEATS_NUMBERED, REPEATS_UNNUMBERED, PRIOR_FILES = 0.02, 0.5, 20
# Traits that members of a household share and their organisation types once: learnt from pairs of two organisations.
_SHARED = ("country", "country_of_namesakes", "arrival", "category", "size", "places", "postal_code", "file_number")
_LEARNT = ["m", "relative", "u"]


def learn(
    pairs: pd.DataFrame, identities: pd.DataFrame, start: Model, compare_more: Callable[[pd.DataFrame], pd.DataFrame]
) -> Weights:
    """
    The weights learnt from compared pairs.

    Parameters
    ----------
    pairs : DataFrame
        left, right and gamma_<trait> of the blocked pairs, as `compare` returns them.
    identities : DataFrame
        organisation, household, numbered and files of `Identities.table`.
    start : Model
        Starting values of EM, and prior of rare levels; the weights of companions are not learnt.
    compare_more : callable
        Compares pairs (join_key_l, join_key_r) that no rule proposed.

    Returns
    -------
    Weights
        Those of `start` where there is too little to learn from, or where EM does not converge; `said` says which.
    """
    samples = {
        "blocked": pairs,
        "random": compare_more(_random_pairs(len(identities))),
        "members": compare_more(_of_one_household(identities["household"].to_numpy())),
    }
    patterns = {name: _patterns(sample, identities) for name, sample in samples.items()}
    weights = unlearnt = Weights(start, _repeats(identities, np.zeros(len(identities))))
    largest_change, n_same = np.inf, 0.0
    for _ in range(ITERATIONS):
        after, n_same = _round(weights, patterns, identities, start)
        largest_change = np.abs(after.model.levels[_LEARNT] - weights.model.levels[_LEARNT]).to_numpy().max(initial=0)
        weights = after
        if largest_change < TOLERANCE:
            break
    if n_same < FEWEST_FOUND:
        reason = f"too few pairs of files of one person were found to learn from: {n_same:.0f} of {FEWEST_FOUND}"
    elif largest_change >= TOLERANCE:
        reason = f"those learnt from these deposits did not settle in {ITERATIONS} rounds"
    else:
        sentence = f"Who is who: weights learnt from these deposits ({n_same:.0f} pairs of files of one person)."
        return replace(weights, said=sentence, learnt=True)
    return replace(unlearnt, said=f"Who is who: the weights of model {start.version}, since {reason}.")


def _round(
    weights: Weights, patterns: dict[str, pd.DataFrame], identities: pd.DataFrame, start: Model
) -> tuple[Weights, float]:
    """The weights after one iteration of EM, and the expected pairs of two organisations that are of one person."""
    model = weights.model
    blocked, strangers, members = patterns["blocked"], patterns["random"], patterns["members"]
    same, relative = _expected(blocked, identities, weights)
    stranger = strangers["count"].to_numpy() - sum(_expected(strangers, identities, weights))
    _, member = _expected(members, identities, weights)
    inside = blocked["inside"].to_numpy()
    across = ~inside
    columns: dict[str, list[np.ndarray]] = {name: [] for name in _LEARNT}
    for trait in TRAITS:
        # pairs of two organisations only: within one, repeated files of a person are typed by the same hand
        columns["m"].append(_shares(blocked, same * across, trait, start, "m"))
        pairs, evidence = (blocked, relative * across) if trait.name in _SHARED else (members, member)
        columns["relative"].append(_shares(pairs, evidence, trait, start, "relative"))
        columns["u"].append(_shares(strangers, stranger, trait, start, "u"))
    levels = start.levels.copy()
    for name in _LEARNT:
        # the probabilities of companions are kept
        levels[name] = np.concatenate([*columns[name], start.probabilities(COMPANIONS, name)])
    n_same = float((same * across).sum())
    n = len(identities)
    partners = (2 * n_same + PRIOR_PARTNERS * start.partners) / (n + PRIOR_PARTNERS)
    again = np.zeros(n)
    np.add.at(again, blocked["left"].to_numpy(), 2 * same * inside)
    return Weights(replace(model, levels=levels, partners=partners), _repeats(identities, again)), n_same


def _repeats(identities: pd.DataFrame, again: np.ndarray) -> np.ndarray:
    """Expected further files per person at each identity's organisation: those already joined and those of `again`."""
    usual = np.where(identities["numbered"], REPEATS_NUMBERED, REPEATS_UNNUMBERED)
    more = pd.DataFrame({"more": 2 * (identities["files"].to_numpy() - 1).clip(0) + again, "usual": usual})
    groups = more.groupby(identities["organisation"].to_numpy())
    total, n, mean = (
        groups["more"].transform("sum"),
        groups["more"].transform("size"),
        groups["usual"].transform("mean"),
    )
    return ((total + PRIOR_FILES * mean) / (n + PRIOR_FILES)).to_numpy()


def _patterns(pairs: pd.DataFrame, identities: pd.DataFrame) -> pd.DataFrame:
    """Distinct combinations of levels and prior odds: one pair of each, with the number of pairs (count)."""
    left, right = pairs["left"].to_numpy(), pairs["right"].to_numpy()
    organisation = pd.factorize(identities["organisation"], sort=True)[0]
    household = identities["household"].to_numpy()
    inside = organisation[left] == organisation[right]
    known = (household[left] >= 0) & (household[right] >= 0)
    code = np.where(inside, 1 + organisation[left], 0) * 4 + 2 * known + (known & (household[left] == household[right]))
    code = np.where(inside, code, 0)
    for trait in TRAITS:
        code = code * (len(trait.levels) + 1) + pairs[f"gamma_{trait.name}"].to_numpy() + 1
    _, first, count = np.unique(code, return_index=True, return_counts=True)
    return pairs.iloc[first].assign(count=count, inside=inside[first])


def _expected(patterns: pd.DataFrame, identities: pd.DataFrame, weights: Weights) -> tuple[np.ndarray, np.ndarray]:
    """The expected number of pairs of each pattern that are of one person, and of relatives."""
    before = odds_before(patterns, identities, weights)
    probabilities = posterior(
        level_weight(patterns, weights.model, "same") + before[0],
        level_weight(patterns, weights.model, "relative") + before[1],
    )
    count = patterns["count"].to_numpy()
    return probabilities[0] * count, probabilities[1] * count


def _shares(patterns: pd.DataFrame, weights: np.ndarray, trait: Trait, start: Model, column: str) -> np.ndarray:
    """The share of each level among the pairs where the trait is stated, shrunken towards the model's."""
    gamma = patterns[f"gamma_{trait.name}"].to_numpy()
    stated = gamma >= 0
    n = len(trait.levels)
    counts = np.bincount(n - 1 - gamma[stated], minlength=n, weights=weights[stated])
    usual = start.probabilities(trait, column)
    shares = (counts + PRIOR_PAIRS) / (counts.sum() + PRIOR_PAIRS / usual)
    return shares / shares.sum()


def changes(before: Model, after: Model) -> pd.DataFrame:
    """
    Trait, level and the probabilities m, relative and u before and after learning; `moved` where one changed by 1 %.

    Examples
    --------
    >>> changes(Model.shipped(), Model.shipped())["moved"].any().item()
    False
    """
    both = before.levels.merge(after.levels, on=["trait", "level"], suffixes=("_before", "_after"), sort=False)
    is_changed = np.zeros(len(both), dtype=bool)
    for name in _LEARNT:
        is_changed |= ~np.isclose(both[f"{name}_before"], both[f"{name}_after"], rtol=0.01)
    return both.assign(moved=is_changed)


def _random_pairs(n: int) -> pd.DataFrame:
    """Random pairs, nearly all of them strangers."""
    ends = np.sort(np.random.default_rng(SEED).integers(0, max(n, 1), (RANDOM_PAIRS, 2)), axis=1)
    return pd.DataFrame(ends[ends[:, 0] < ends[:, 1]], columns=["join_key_l", "join_key_r"]).drop_duplicates()


def _of_one_household(household: np.ndarray) -> pd.DataFrame:
    """The pairs of files of one household in one organisation: relatives, where each member has a file."""
    members = pd.DataFrame({"household": household, "identity": np.arange(len(household))})
    members = members[members["household"] >= 0].head(MOST_MEMBERS)
    both = members.merge(members, on="household")
    both = both[both["identity_x"] < both["identity_y"]]
    return both[["identity_x", "identity_y"]].set_axis(["join_key_l", "join_key_r"], axis=1)
