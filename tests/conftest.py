"""Of every test: hypothesis sets no deadline, since how long an example takes says what else the machine is doing.

And of a run of them: what its processes share (made_once.py), and which files come first.
"""

import os
import shutil
import tempfile

import pytest
from hypothesis import settings

from examples import USUAL
from made_once import VARIABLE
from trajectories.study import STUDY_VARIABLE

settings.register_profile("every day", deadline=None, max_examples=USUAL // 5)
settings.register_profile("thorough", deadline=None, max_examples=2 * USUAL // 5)
settings.load_profile("every day")

# The folders and notebooks that `make test` leaves to `make test-all`, with the tests that are marked so one by one.
THE_OTHERS = (
    "browser", "faults", "machines", "recovery",
    "04_services.ipynb", "05_typology.ipynb", "06_your_own_question.ipynb", "90_validation.ipynb",
)  # fmt: skip

# The files that take longest: begun last, one of them would leave the other process without work. Those that are not
# named follow as ever, the notebooks last: by then 90_validation.ipynb finds what it shows made by test_coverage_*.py.
LONGEST = (
    "test_main_job.py", "test_run_faults.py", "test_line.py", "test_batch.py",
    "test_blank.py",
    "test_coverage_models.py", "pipeline.py", "test_every_page.py", "test_invariants.py", "04_services.ipynb",
    "test_leads_recovery.py", "test_coverage_turnbull.py", "test_environments.py",
    "test_retention_recovery.py", "test_schedulers.py", "03_retention.ipynb", "06_your_own_question.ipynb",
    "test_comparison_recovery.py",
)  # fmt: skip

# What begins with the sample that test_main_job.py makes: last, not to wait for it.
ON_THE_SAMPLE = ("test_disclosure_whole_run.py", "inputs.py", "improvement_leads.py", "explorer.py", "batch.py")


def pytest_configure(config):
    # the processes of xdist, and the kernels of notebooks, have the variable from the one that starts them
    if VARIABLE not in os.environ:
        os.environ[VARIABLE] = config.shared_by_tests = tempfile.mkdtemp(prefix="trajectories-tests-")


def pytest_unconfigure(config):
    if hasattr(config, "shared_by_tests"):
        shutil.rmtree(config.shared_by_tests, ignore_errors=True)
        del os.environ[VARIABLE]


def pytest_collection_modifyitems(items):
    place = {name: number for number, name in enumerate(LONGEST)}
    place |= dict.fromkeys(ON_THE_SAMPLE, len(LONGEST) + 1)
    items.sort(key=lambda item: place.get(item.path.name, len(LONGEST)))
    for item in items:
        if item.path.name in THE_OTHERS or item.path.parent.name in THE_OTHERS:
            item.add_marker("thorough")


# Before the kernel of a notebook starts: the sample that it opens is the one of the tests.
@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    if item.path.suffix == ".ipynb":
        import sample_project

        os.environ[STUDY_VARIABLE] = str(sample_project.built() / "study.toml")


def pytest_runtest_teardown(item):
    if item.path.suffix == ".ipynb":
        del os.environ[STUDY_VARIABLE]
