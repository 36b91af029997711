"""Tables of services in which the right leads are known, for the tests of leads and of their section."""

import numpy as np
import pandas as pd

from trajectories.analysis.services import leads as rules


def expected(**rows):
    """A table service_expected: region → (observed, expected, n, p)."""
    from trajectories.analysis.services.expected import ratio_limits

    made = []
    for region, (observed, predicted, n, p) in rows.items():
        ratio, lower, upper = ratio_limits(observed, predicted)
        made.append({
            "group": region.strip("_"), "measure": "transfers_expected", "service": None, "horizon": 90.0,
            "estimate": ratio, "se": 0.1, "lower": lower, "upper": upper, "p_value": p, "n_start": n, "n_at_risk": n,
            "households": observed, "observed": observed, "expected": predicted, "expected_share": predicted / n,
            "method": "logit_of_the_others",
        })  # fmt: skip
    return pd.DataFrame(made)


def needs(rows):
    """A table service_needs: group, need, households without, households with the need."""
    made = pd.DataFrame(rows, columns=["group", "need", "households", "n_start"])
    share = made["households"] / made["n_start"]
    se = np.sqrt(share * (1 - share) / made["n_start"])
    return made.assign(
        measure="need_without_service", horizon=6.0, estimate=share, se=se, lower=share - 1.96 * se,
        upper=share + 1.96 * se, n_at_risk=made["n_start"], method="whole_window", note=None,
    )  # fmt: skip


def association(service="pairing", ratio=0.6, adjusted=(0.01, 0.01, 0.01), p=None, limit=2.0, control=None):
    methods = rules.AGREE if control is None else ("discrete",)
    rows = len(methods)
    return pd.DataFrame({
        "service": service, "method": methods, "control": control, "estimate": np.log(ratio), "se": 0.15,
        "hazard_ratio": ratio, "lower": ratio * 0.75, "upper": ratio * 1.33, "p_value": list(p or adjusted)[:rows],
        "adjusted_p": list(adjusted)[:rows], "e_value_limit": limit, "n_model_stays": 1200.0,
    })  # fmt: skip


REACH = pd.DataFrame({
    "group": "province", "service": ["pairing", "reception"], "when": "after", "stream": "all", "n_start": 800,
    "households": [200, 500], "estimate": [0.25, 0.625],
})  # fmt: skip


def every_table():
    return {
        "service_expected": expected(_05=(60, 30.0, 120, 1e-6), _08=(45, 34.0, 100, 0.02), _11=(20, 20.0, 90, 0.9)),
        "service_needs": needs([("province", "job", 300, 500), ("05", "job", 80, 100)]),
        "associations": association(), "service_reach": REACH,
    }  # fmt: skip
