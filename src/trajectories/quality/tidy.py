"""The two shapes of what is found: how many of how many, and where.

`measures`: organisation_id, measure, key, column, n (what goes wrong), of (among how many), share, median (of the
others' shares). `places`: organisation_id, measure, key, column, the address of a row (file, sheet, row), the `LISTED`
latest of each, and n_rows, how many there are.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

KEYS = ["organisation_id", "measure", "key", "column"]
MEASURES = [*KEYS, "n", "of"]
PLACES = [*KEYS, "file", "sheet", "row", "n_rows"]
# Rows that are written out for one problem: enough to find it, few enough to be read.
LISTED = 10
# A median of fewer would let one organisation be guessed from the others.
MEDIAN_OF = 5


def counted(flag: pd.Series, organisation: pd.Series, measure: str, key: str | None = None) -> pd.DataFrame:
    """
    One measure: how many rows are flagged, of how many, by organisation.

    Examples
    --------
    >>> counted(pd.Series([True, False, False]), pd.Series(["A", "A", "B"]), "late")[["organisation_id", "n", "of"]]
      organisation_id  n  of
    0               A  1   2
    1               B  0   1
    """
    grouped = flag.astype("int64").groupby(organisation.astype(object)).agg(n="sum", of="size")
    found = grouped.rename_axis("organisation_id").reset_index()
    return found.assign(measure=measure, key=key, column=None)[MEASURES]


def where(rows: pd.DataFrame, measure: str, key: str | None = None) -> pd.DataFrame:
    """The latest `LISTED` of some rows by organisation; `rows` have an address, and may have `key` and `column`."""
    rows = rows.assign(measure=measure, **{name: key for name in ("key", "column") if name not in rows})
    rows = rows[rows["row"] > 0].sort_values(["file", "sheet", "row"], ascending=[False, True, True])
    grouped = rows.groupby(KEYS, sort=False, dropna=False)
    return rows.assign(n_rows=grouped["row"].transform("size"))[grouped.cumcount() < LISTED][PLACES]


def joined(frames: Iterable[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    """Frames of one shape one under the other; none gives an empty one."""
    frames = [frame for frame in frames if len(frame)]
    found = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)
    texts = [name for name in columns if name not in ("n", "of", "row", "n_rows")]
    return found[columns].astype(dict.fromkeys(texts, object)).pipe(lambda f: f.where(f.notna(), None))


def with_medians(measures: pd.DataFrame, zone: pd.Series) -> pd.DataFrame:
    """
    The measures with `share`, and the median share of the other organisations of the same zone.

    Missing where fewer than `MEDIAN_OF` others have the measure, or where nobody knows on which side the organisation
    is.
    """
    share = measures["n"].astype(float) / measures["of"].astype(float).where(measures["of"].astype(float) > 0)
    measures = measures.assign(share=share, median=np.nan, zone=measures["organisation_id"].map(zone))
    known = measures[measures["share"].notna() & measures["zone"].isin(["metropole", "region"])]
    median = measures["median"].to_numpy(copy=True)
    for at in known.groupby(["measure", "key", "column", "zone"], dropna=False).indices.values():
        shares = known["share"].to_numpy()[at]
        if len(at) > MEDIAN_OF:
            median[known.index.to_numpy()[at]] = [np.median(np.delete(shares, one)) for one in range(len(at))]
    return measures.assign(median=median).drop(columns="zone")
