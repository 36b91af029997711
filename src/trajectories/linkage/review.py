"""Clerical review: the doubtful pairs are written to a file, and the decisions are read back on the next run.

After `records`, this file alone holds names and birth dates, so it is in `sensitive/`. Pairs come in the order of their
effect (linking them would reveal a return to the metropole, then the origin of a stay), the most doubtful first, with
ids that stay when a deposit is sent again.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from ..exceptions import UnusableInputError
from ..folders import harmless, private_folder, replaced
from ..study import Study
from ..tables import METROPOLE, REGION
from .clusters import REFUSED
from .identities import LONGEST
from .linking import Links, Resolved, identity_ids
from .pseudonyms import Key

FILE = "linkage_review.csv"
# Probabilities between which a pair is reviewed.
DOUBTFUL = (0.02, 0.9999)
# Undecided pairs in a file: about one session of a reviewer.
MOST = 400
SAME, DIFFERENT = "même", "différent"
_ANSWERS = {"même": True, "meme": True, "same": True, "différent": False, "different": False}
_EFFECTS = {0: "révèle un retour", 1: "révèle l'origine", 2: "autre"}
_SHOWN = {
    "organisation": "organisme",
    "file_number": "no_dossier",
    "given": "prenom",
    "family": "nom",
    "birth": "naissance",
    "sex": "sexe",
    "country": "pays",
    "arrival": "arrivee",
    "size": "taille_menage",
    "first": "premiere_date",
    "last": "derniere_date",
}


def review_folder(study: Study) -> Path:
    """The folder of the clerical review."""
    return study.paths.reports / "sensitive" / "review"


def review_table(
    links: Links,
    resolved: Resolved,
    key: Key | bytes,
    *,
    without: Iterable[str] = (),
    kept: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """
    The doubtful pairs, those of the largest effect first; none that concerns a record of `without`.

    Decisions on identities without a row today (`kept`, from `waiting`) come last, by their ids alone, so that they
    are not lost when a deposit is taken out and sent again.

    Returns
    -------
    DataFrame
        decision (empty, or the earlier one), effet, probabilite, raison (why a likely pair was refused), id_1, id_2,
        then the values of the two organisations side by side.
    """
    pairs = links.pairs.assign(decision=resolved.links["decision"], reason=resolved.links["reason"])
    low, high = DOUBTFUL
    doubtful = pairs["same"].between(low, high) | pairs["decision"].eq(REFUSED) | pairs["decided"].notna()
    left_out = links.identities.of_record[links.record_id.isin(set(without)).to_numpy()]
    pairs = pairs[doubtful & ~pairs[["left", "right"]].isin(left_out).any(axis=1)].copy()
    pairs["effect"] = _effects(pairs, links.identities.table)
    pairs["doubt"] = (pairs["same"] - 0.5).abs()
    undecided = pairs["decided"].isna()
    pairs = pairs.assign(undecided=undecided).sort_values(
        ["undecided", "effect", "doubt", "left", "right"], ascending=[True, True, True, True, True]
    )
    pairs = pd.concat([pairs[~pairs["undecided"]], pairs[pairs["undecided"]].head(MOST)])
    table = _as_typed(pairs, links, identity_ids(links, key))
    if kept is None or kept.empty:
        return table
    kept_decisions = pd.DataFrame(
        {
            "decision": kept["same"].map({True: SAME, False: DIFFERENT}),
            "id_1": kept["left_id"],
            "id_2": kept["right_id"],
        }
    ).sort_values(["id_1", "id_2"])
    return pd.concat([table, kept_decisions.reindex(columns=table.columns, fill_value="")], ignore_index=True)


def _effects(pairs: pd.DataFrame, table: pd.DataFrame) -> np.ndarray:
    """The effect of linking each pair: 0 it reveals a return, 1 it reveals an origin, 2 other."""
    left, right = (table.iloc[pairs[end]].reset_index(drop=True) for end in ("left", "right"))
    effects = np.full(len(pairs), 2)
    for metropole, region in ((left, right), (right, left)):
        across = metropole["zone"].eq(METROPOLE) & region["zone"].eq(REGION)
        effects = np.where(across, np.minimum(effects, 1), effects)
        effects = np.where(across & (metropole["last"] > region["last"]), 0, effects)
    return effects


def _as_typed(pairs: pd.DataFrame, links: Links, ids: np.ndarray) -> pd.DataFrame:
    table = links.identities.table
    shown = pd.DataFrame(
        {
            "decision": pairs["decided"].map({True: SAME, False: DIFFERENT}).fillna(""),
            "effet": pairs["effect"].map(_EFFECTS),
            "probabilite": pairs["same"].round(4),
            "raison": pairs["reason"].fillna(""),
            "id_1": ids[pairs["left"]],
            "id_2": ids[pairs["right"]],
        }
    )
    birth = table["birth"].where(table["birth"].notna(), table["birth_year"])
    typed = table.assign(file_number=table["key"].map(_number), birth=birth)
    for column, label in _SHOWN.items():
        for number, end in ((1, "left"), (2, "right")):
            values = typed[column].iloc[pairs[end]]
            if column in ("first", "last"):
                values = values.dt.strftime("%Y-%m-%d")
            shown[f"{label}_{number}"] = values.fillna("").astype(str).str[:LONGEST].to_numpy()
    return shown.reset_index(drop=True)


def _number(key: str) -> str:
    """The file number in an identity's key; empty where the identity has none."""
    kind, *parts = key.split("\x1f")
    return parts[1] if kind == "0" else ""


def write_review(table: pd.DataFrame, folder: Path) -> Path:
    """Write the file for a spreadsheet in French (semicolons, byte-order mark), with formulas made harmless."""
    path = private_folder(folder) / FILE
    with replaced(path) as scratch:
        harmless(table).to_csv(scratch, sep=";", index=False, encoding="utf-8-sig", quoting=csv.QUOTE_MINIMAL)
    return path


def read_decisions(folder: Path) -> pd.DataFrame:
    """
    The reviewer's decisions: left_id, right_id, same; none where there is no file.

    Raises
    ------
    UnusableInputError
        The file cannot be read, lacks a column, or holds a decision that is neither « même » nor « différent »:
        every such line is named.
    """
    path = Path(folder) / FILE
    none = pd.DataFrame({"left_id": [], "right_id": [], "same": []}, dtype="object")
    if not path.exists():
        return none
    try:
        lines = pd.read_csv(path, sep=None, engine="python", dtype=str, encoding="utf-8-sig", keep_default_na=False)
    except (ValueError, OSError, csv.Error) as error:
        raise UnusableInputError(
            f"{path} cannot be read ({type(error).__name__}): save it as CSV in UTF-8, or remove it."
        ) from None
    needed = ("decision", "id_1", "id_2")
    if not set(needed) <= set(lines.columns):
        raise UnusableInputError(f"{path} needs the columns {', '.join(needed)}: restore them, or remove the file.")
    answers = lines["decision"].str.strip().str.lower()
    wrong_lines = [f"line {number + 2}" for number in lines.index[~answers.isin([*_ANSWERS, ""])]]
    if wrong_lines:
        raise UnusableInputError(
            f"{path}: the decision is neither « {SAME} » nor « {DIFFERENT} » on {', '.join(wrong_lines)}: correct it."
        )
    decided = lines[answers.ne("")]
    return pd.DataFrame(
        {
            "left_id": decided["id_1"],
            "right_id": decided["id_2"],
            "same": answers[answers.ne("")].map(_ANSWERS),
        }
    ).reset_index(drop=True)
