"""The reports of all regions of an analysis, beside plain papermill: one run after the other, a kernel a notebook.

    .venv/bin/python benchmarks/batch.py [reports/sample/sensitive/tables]

The peer runs the same notebooks with the same parameters and converts nothing; ours also makes the pages, the exports
and the indexes, and searches them. Then one region alone, twice: the second time with nothing left to import.
"""

from __future__ import annotations

import dataclasses
import sys
import tempfile
import time
from pathlib import Path

import papermill

from trajectories.groups import reported_groups
from trajectories.report import run_reports
from trajectories.study import Paths, Study
from trajectories.tables import PROVINCE

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


def plain(study: Study, regions: list[str], tables: Path, out: Path) -> float:
    """Seconds that papermill takes for the notebooks of the regions, one after the other."""
    started = time.perf_counter()
    for region in regions:
        name = "province_report.ipynb" if region == PROVINCE else "region_report.ipynb"
        parameters = {
            "region": region, "tables": str(tables), "language": "fr", "rules": dataclasses.asdict(study.disclosure),
            "support": study.support,
        }  # fmt: skip
        papermill.execute_notebook(
            NOTEBOOKS / name, str(out / f"{region}.ipynb"), parameters=parameters, progress_bar=False, cwd=NOTEBOOKS,
            kernel_name="python3",
        )  # fmt: skip
    return time.perf_counter() - started


def ours(study: Study, regions: list[str], tables: Path, out: Path) -> float:
    started = time.perf_counter()
    outcomes = run_reports(study, regions=regions, tables=tables, out=out, force=True)
    if failed := [outcome for outcome in outcomes if outcome.status != "done"]:
        raise SystemExit(f"not made: {failed}")
    return time.perf_counter() - started


def main() -> None:
    given = Path(sys.argv[1] if len(sys.argv) > 1 else "reports/sample/sensitive/tables").resolve()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        study = Study(paths=Paths(out / "raw", out / "derived", out))  # no build: no names to look for
        regions = list(reported_groups(study))
        alone = [ours(study, ["05"], given, out) for _ in range(2)]
        mine = ours(study, regions, given, out)
        theirs = plain(study, regions, given, out)
        print(f"{len(regions)} pages: {mine:.1f} s; plain papermill, one after the other: {theirs:.1f} s "
              f"({theirs / mine:.1f} times)")  # fmt: skip
        print(f"one region: {alone[0]:.1f} s, and again {alone[1]:.1f} s")


if __name__ == "__main__":
    main()
