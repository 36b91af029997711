"""A group's share against that of the rest of the province, found again from the group and the whole."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..tables import PROVINCE


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
    whole = table[table["group"].eq(PROVINCE)]
    part = table[~table["group"].eq(PROVINCE)].merge(
        whole[[*keys, "estimate", "se", "n_start", *([counts] if counts else [])]],
        on=list(keys),
        suffixes=("", "_whole"),
    )
    n, of = (part[name].astype(float) for name in ("n_start", "n_start_whole"))
    part = part[n < of].reset_index(drop=True)
    n, of = (part[name].astype(float).to_numpy() for name in ("n_start", "n_start_whole"))
    inside = n / of
    rest = (part["estimate_whole"] - inside * part["estimate"]) / (1 - inside)
    if counts:
        hit, hits = (part[name].astype(float).to_numpy() for name in (counts, f"{counts}_whole"))
        rest = pd.Series(np.maximum(hits - hit, 0) / (of - n))
        p_value = _exact(hit, n, np.maximum(hits - hit, 0), of - n)
    else:
        own, every = part["se"].astype(float), part["se_whole"].astype(float)
        spread = np.sqrt(np.maximum(every**2 - (inside * own) ** 2, 0)) / (1 - inside)
        p_value = _normal((part["estimate"] - rest) / np.hypot(own, spread))
    part = part.assign(expected=rest, ratio=part["estimate"] / rest.where(rest > 0), p_value=p_value)
    return part[part["ratio"].notna()].drop(columns=[c for c in part if c.endswith("_whole")]).reset_index(drop=True)


def _exact(hit: np.ndarray, n: np.ndarray, other: np.ndarray, others: np.ndarray) -> np.ndarray:
    from scipy.stats import fisher_exact  # scipy costs half a second: not at `import trajectories`

    pairs = zip(hit, n, other, others, strict=True)
    return np.array([fisher_exact([[a, b - a], [c, d - c]]).pvalue for a, b, c, d in pairs], dtype=float)


def _normal(z: pd.Series) -> np.ndarray:
    from scipy.special import ndtr

    return 2 * ndtr(-np.abs(z.to_numpy(dtype=float)))
