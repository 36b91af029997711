"""The sample of the tests, made once for all their processes: a project without deposits of its own, as a newcomer has.

`built` is enough for notebooks and commands. `reported` is the main job, from dirty deposits to protected pages, with
nothing invented but the deposits.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from commands import call
from few_regions import few_regions
from made_once import VARIABLE, made_once
from trajectories import pipeline
from trajectories.deposits.synthetic import SAMPLE_TARGETS, SAMPLE_YEARS
from trajectories.pipeline import make_sample
from trajectories.study import Study

ROOT = Path(__file__).parents[1]
HOUSEHOLDS, ORGANISATIONS = 240, 10
# People settle in these: large regions, middling ones, one too small to publish. Their number makes the time.
SETTLED = ("03", "05", "07", "12", "17", "08", "10")
# A region and the whole.
REGIONS = ("03", "province")


def built() -> Path:
    """The project: study.toml (two replicates, one draw), and the sample below data/, simulated and built."""
    return Path(made_once("sample built", _built))


def reported() -> Path:
    """The same after `trajectories run` for REGIONS."""
    return Path(made_once("sample reported", _reported))


def _built() -> str:
    project = _folder()
    text = (ROOT / "study.toml").read_text(encoding="utf-8")
    text = text.replace("replicates = 500", "replicates = 2").replace("draws = 20", "draws = 1")
    # those of the sample, for a study that names its folders itself (src/conftest.py)
    for region, households in SAMPLE_TARGETS.items():
        text += f'[targets."{region}"]\n' + "".join(f'"{year}" = {households}\n' for year in SAMPLE_YEARS)
    (project / "study.toml").write_text(text, encoding="utf-8")
    study = Study.read(project / "study.toml")
    with few_regions(*SETTLED):
        on_sample = make_sample(study, households=HOUSEHOLDS, organisations=ORGANISATIONS)
    pipeline.build(on_sample)
    return str(project)


def _reported() -> str:
    project = shutil.copytree(built(), _folder() / "project")
    asked = [part for region in REGIONS for part in ("--region", region)]
    assert call("run", "--study", project / "study.toml", *asked) == 0
    return str(project)


def _folder() -> Path:
    """A folder that is gone with the tests."""
    return Path(tempfile.mkdtemp(dir=os.environ.get(VARIABLE)))
