"""One world, by the habits named: every measure, printed."""

import argparse

from trajectories.simulate import Settings
from trajectories.simulate.habits import NAMES as HABIT_NAMES

from . import world

parser = argparse.ArgumentParser(prog="python -m scoring", description=__doc__)
parser.add_argument("--habits", default="none", help="none, drawn, or names joined by commas (docs/habits.md)")
parser.add_argument("--households", type=int, default=300)
parser.add_argument("--organisations", type=int, default=14)
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--defects", default="light", help="none, light, heavy")
parser.add_argument("--perfect", action="store_true", help="with the true persons instead of the linkage")
given = vars(parser.parse_args())
perfect = given.pop("perfect")
for name, value in world(Settings(**given), perfect=perfect).items():
    if name not in HABIT_NAMES or 0 < value < 1:
        print(f"{name:32s} {value:.4f}")
