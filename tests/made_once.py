"""What the processes of one run of the tests share: who asks first makes it, the others read it.

Kept in a folder that tests/conftest.py makes for this run and removes at its end: nothing is ever that of other code.
Where there is no such folder (a notebook run by hand), each makes its own.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trajectories.exceptions import LockedError
from trajectories.folders import alone

VARIABLE = "TRAJECTORIES_TESTS_SHARE"


def made_once(name: str, make: Callable[[], Any]) -> Any:
    """What `make` gives, which must depend on `name` and the code alone."""
    if VARIABLE not in os.environ:
        return make()
    folder = Path(os.environ[VARIABLE]) / hashlib.sha256(name.encode()).hexdigest()[:20]
    kept = folder / "made.pickle"
    while True:
        try:
            with alone(folder):
                if not kept.exists():
                    made = make()
                    scratch = folder / "half"
                    scratch.write_bytes(pickle.dumps(made))
                    scratch.replace(kept)
                return pickle.loads(kept.read_bytes())
        except LockedError:
            time.sleep(0.2)
