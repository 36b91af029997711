"""Clerical review: the pairs a human should look at, written out, and what was decided read back on the next run.

The file is the one place after `records` where names and birth dates stand, so it lives in `sensitive/`. Pairs near
the threshold come first by what linking them would change (a return to the metropole that nobody else reveals, then
the origin of a stay), and each carries ids that survive a deposit sent again.
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
# Pairs that a few more traits, or a human, could decide either way.
DOUBTFUL = (0.02, 0.9999)
# One sitting of a reviewer.
MOST = 400
SAME, DIFFERENT = "même", "différent"
_ANSWERS = {"même": True, "meme": True, "same": True, "différent": False, "different": False}
_EFFECTS = {0: "révèle un retour", 1: "révèle l'origine", 2: "autre"}
_SHOWN = {
    "organisation": "organisme", "file_number": "no_dossier", "given": "prenom", "family": "nom", "birth": "naissance",
    "sex": "sexe", "country": "pays", "arrival": "arrivee", "size": "taille_menage", "first": "premiere_date",
    "last": "derniere_date",
}  # fmt: skip


def review_folder(study: Study) -> Path:
    """Where the clerical review is written, and read back."""
    return study.paths.reports / "sensitive" / "review"


def review_table(
    links: Links, resolved: Resolved, key: Key | bytes, *, without: Iterable[str] = (),
    kept: pd.DataFrame | None = None,
) -> pd.DataFrame:  # fmt: skip
    """
    The doubtful pairs, those that would change most first; none that concerns a record of `without`.

    Decisions of which a file is not there today (`kept`, from `waiting`) stand last, by their ids alone: what a human
    decided is not lost when a deposit is taken out and sent again.

    Returns
    -------
    DataFrame
        decision (empty, or what was decided before), effet, probabilite, raison (why a likely pair was refused),
        id_1, id_2, then what the two organisations typed, side by side.
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
    shown = _as_typed(pairs, links, identity_ids(links, key))
    if kept is None or kept.empty:
        return shown
    last = pd.DataFrame({
        "decision": kept["same"].map({True: SAME, False: DIFFERENT}), "id_1": kept["left_id"], "id_2": kept["right_id"],
    }).sort_values(["id_1", "id_2"])  # fmt: skip
    return pd.concat([shown, last.reindex(columns=shown.columns, fill_value="")], ignore_index=True)


def _effects(pairs: pd.DataFrame, table: pd.DataFrame) -> np.ndarray:
    """What linking a pair would change: 0 it shows a return, 1 where somebody came from, 2 anything else."""
    left, right = (table.iloc[pairs[end]].reset_index(drop=True) for end in ("left", "right"))
    found = np.full(len(pairs), 2)
    for metropole, region in ((left, right), (right, left)):
        across = metropole["zone"].eq(METROPOLE) & region["zone"].eq(REGION)
        found = np.where(across, np.minimum(found, 1), found)
        found = np.where(across & (metropole["last"] > region["last"]), 0, found)
    return found


def _as_typed(pairs: pd.DataFrame, links: Links, ids: np.ndarray) -> pd.DataFrame:
    table = links.identities.table
    shown = pd.DataFrame({
        "decision": pairs["decided"].map({True: SAME, False: DIFFERENT}).fillna(""),
        "effet": pairs["effect"].map(_EFFECTS), "probabilite": pairs["same"].round(4),
        "raison": pairs["reason"].fillna(""), "id_1": ids[pairs["left"]], "id_2": ids[pairs["right"]],
    })  # fmt: skip
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
    """The file number in an identity's key; empty where it is known by name alone."""
    kind, *parts = key.split("\x1f")
    return parts[1] if kind == "0" else ""


def write_review(table: pd.DataFrame, folder: Path) -> Path:
    """Write the file, as a spreadsheet opens it in French (semicolons, byte-order mark), formulas made harmless."""
    path = private_folder(folder) / FILE
    with replaced(path) as scratch:
        harmless(table).to_csv(scratch, sep=";", index=False, encoding="utf-8-sig", quoting=csv.QUOTE_MINIMAL)
    return path


def read_decisions(folder: Path) -> pd.DataFrame:
    """
    What a reviewer decided: left_id, right_id, same; none where there is no file.

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
    said = lines["decision"].str.strip().str.lower()
    wrong = [f"line {number + 2}" for number in lines.index[~said.isin([*_ANSWERS, ""])]]
    if wrong:
        raise UnusableInputError(
            f"{path}: the decision is neither « {SAME} » nor « {DIFFERENT} » on {', '.join(wrong)}: correct it."
        )
    decided = lines[said.ne("")]
    return pd.DataFrame({
        "left_id": decided["id_1"], "right_id": decided["id_2"], "same": said[said.ne("")].map(_ANSWERS),
    }).reset_index(drop=True)  # fmt: skip
