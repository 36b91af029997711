"""What the tables of this room have in common: their columns, limits of a share, and when no number is given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from ..study import Study
from ..survival.checks import normal_quantile

NUMBERS = ("estimate", "se", "lower", "upper")
COUNTS = ("n_start", "n_at_risk")
# In the order of every table: what the row is of stands between `group` and `horizon`, its own counts at the end.
_WHOLE = ("n_whole", "k_whole")
_BEFORE, _AFTER = ("measure", "group"), ("horizon", *NUMBERS, *COUNTS)
TOO_FEW = "too_few_households"
TOO_FEW_FOLLOWED = "too_few_followed"
TOO_FEW_ORGANISATIONS = "too_few_organisations"
UNKNOWN_STREAM = "unknown_stream"
BEFORE_ARRIVAL = "dated_before_arrival"
# Notes of rows that have no number at all; others say what their missing numbers are.
_SILENT = (TOO_FEW, TOO_FEW_ORGANISATIONS, UNKNOWN_STREAM, BEFORE_ARRIVAL)


def fewest(study: Study) -> int:
    """Households that a number needs under it: the study's support, and never less than may be published."""
    return max(study.support, study.disclosure.households)


def share_limits(successes, of, conf_level: float = 0.95) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """
    A share with its standard error and limits (Wilson 1927: never outside 0–1, and some width at 0 and 1).

    Examples
    --------
    >>> [float(x.round(3)) for x in share_limits(5, 20)]
    [0.25, 0.097, 0.112, 0.469]
    """
    k, n = np.broadcast_arrays(np.asarray(successes, dtype=float), np.asarray(of, dtype=float))
    z = normal_quantile(conf_level)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = k / n
        middle, half = (p + z * z / (2 * n)), z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        lower, upper = (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)
        return p, np.sqrt(p * (1 - p) / n), np.maximum(lower, 0.0), np.minimum(upper, 1.0)


def with_shares(table: pd.DataFrame, successes: str) -> pd.DataFrame:
    """The table with estimate, se, lower, upper of the share `successes` / `n_start`."""
    return table.assign(**dict(zip(NUMBERS, share_limits(table[successes], table["n_start"]), strict=True)))


def finished(
    frames: Iterable[pd.DataFrame], keys: Sequence[str], counts: Sequence[str], *, least: int, base: str = "n_start"
) -> pd.DataFrame:
    """
    Frames as one table, in the order of columns of this room; a row with a fault or too few households has no number.

    Parameters
    ----------
    frames : iterable of DataFrame
        Each with measure, group, the keys, horizon, the numbers and counts, method; `note` where there is one.
    keys, counts : sequence of str
        What a row is of; what it counts besides.
    least : int
        Households (`n_start`) that a number needs.
    base : str
        The count that the shares are of.

    Notes
    -----
    `n_whole` (that count) and `k_whole` (as many of it as the share says) stay where the others go: protection has to
    know what stands behind a number that is not given.
    """
    columns = [*_BEFORE, *keys, *_AFTER, *counts, *_WHOLE, "method", "note"]
    # as objects: some frames have a column all missing, of which no type is known
    frames = [frame.reindex(columns=columns).astype("object") for frame in frames]
    table = pd.concat([pd.DataFrame(columns=columns, dtype="object"), *frames], ignore_index=True)
    table["n_whole"] = table[base]
    table["k_whole"] = np.floor(table["estimate"].astype("float64") * table[base].astype("float64") + 0.5)
    whole = [*COUNTS, *counts]
    numbers = dict.fromkeys([*NUMBERS, "horizon", *whole, *_WHOLE], "float64")
    table = table.astype(numbers).astype(dict.fromkeys([*whole, *_WHOLE], "Int64"))
    small = ~table["n_start"].ge(least).fillna(False).astype(bool)
    few = small & (table["note"].isna() | table["note"].eq(TOO_FEW_FOLLOWED))
    table["note"] = table["note"].astype("object").where(~few, TOO_FEW)
    table["note"] = table["note"].where(table["note"].notna(), None)
    silent = table["note"].isin(_SILENT)
    table.loc[silent, list(NUMBERS)] = np.nan
    table.loc[silent, whole] = pd.NA
    return table
