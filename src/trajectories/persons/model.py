"""The weights of the linkage: what agreement and disagreement on each trait say, under three hypotheses.

Two identities are of the same person, of relatives (two members of one household) or of strangers. For each level of
each trait the model holds its probability under each (`m`, `relative`, `u`). With two hypotheses only, as Fellegi and
Sunter (1969) have it, twins and spouses who share a name, a day of arrival, a town and a country look like one
person: that is why relatives have a column of their own.

The model that is shipped is frozen and has a version: each build learns from it (learning.py).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd

from ..exceptions import LinkageModelError
from .comparisons import COMPANIONS, TRAITS, Trait

HYPOTHESES = ("same", "relative", "stranger")
_ALL = (*TRAITS, COMPANIONS)
# Where the levels of each trait stand.
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
        Written beside each link it made.
    trained_on : str
        What the probabilities come from, in words.
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
        text = resources.files("trajectories.persons").joinpath("model.json").read_text(encoding="utf-8")
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
        """Check and take a model from its text."""
        try:
            content = json.loads(text)
            rows = [
                (trait, level, *(float(p[_COLUMNS[h]]) for h in HYPOTHESES))
                for trait, levels in content["traits"].items()
                for level, p in levels.items()
            ]
            levels = pd.DataFrame(rows, columns=["trait", "level", "m", "relative", "u"])
            model = cls(
                content["version"], content["trained_on"], float(content["partners"]), float(content["relatives"]),
                levels,
            )  # fmt: skip
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
        """The text of the model, the same for the same model."""
        traits: dict[str, dict[str, dict[str, float]]] = {}
        for row in self.levels.itertuples():
            traits.setdefault(row.trait, {})[row.level] = {
                "m": float(f"{row.m:.4g}"), "relative": float(f"{row.relative:.4g}"), "u": float(f"{row.u:.4g}")
            }  # fmt: skip
        content = {
            "version": self.version, "trained_on": self.trained_on, "partners": round(self.partners, 4),
            "relatives": round(self.relatives, 4), "traits": traits,
        }  # fmt: skip
        return json.dumps(content, indent=1) + "\n"

    def probabilities(self, trait: Trait, column: str) -> np.ndarray:
        """One column (m, relative or u) of the levels of one trait, strongest first."""
        return self.levels[column].to_numpy()[_PLACES[trait.name]]

    def weights(self, trait: Trait, hypothesis: str) -> np.ndarray:
        """log2 of each level's probability under a hypothesis against strangers, strongest level first."""
        return np.log2(self.probabilities(trait, _COLUMNS[hypothesis]) / self.probabilities(trait, "u"))


def match_weights(model: Model | None = None) -> pd.DataFrame:
    """
    What each level of agreement weighs, for a researcher to judge the linkage by.

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
