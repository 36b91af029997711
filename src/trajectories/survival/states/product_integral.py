"""Products of many small matrices, Π(I + ΔA), and the covariance of a row of them, in blocks instead of one by one.

p(t) = p(s) Π_{s<u≤t} (I + ΔA(u)) (Aalen & Johansen 1978). The steps are cut into √T blocks that advance together, so
that a million steps cost a few thousand calls of numpy; then each block is put behind what was before it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trajectories.survival.checks import Floats, Integers
from trajectories.survival.states.state_table import StateTable

PIECE = 16_384  # steps held at once


@dataclass(frozen=True)
class Walk:
    """Where m starting distributions are after chosen numbers of steps: wanted × m × states."""

    probability: Floats
    variance: Floats
    settled: NDArray[np.bool_]  # 0 or 1 ever since the start: certain as far as seen, not by everybody's having left


def prefix_products(steps: Floats) -> tuple[Floats, Floats]:
    """Blocks × width × k × k products from the start of each block, and what stands before it: blocks × k × k."""
    blocks = in_blocks(steps, np.eye(steps.shape[1]))
    inside = blocks.copy()
    for j in range(1, blocks.shape[1]):
        inside[:, j] = inside[:, j - 1] @ blocks[:, j]
    ahead = np.empty((len(blocks), *steps.shape[1:]))
    ahead[0] = np.eye(steps.shape[1])
    for b in range(1, len(blocks)):
        ahead[b] = ahead[b - 1] @ inside[b - 1, -1]
    return inside, ahead


def in_blocks(values: Floats, filling: Floats) -> Floats:
    """Rows in √T blocks of one width, the last one filled up."""
    width = max(1, int(np.ceil(np.sqrt(len(values)))))
    blocks = -(-len(values) // width)
    rest = np.broadcast_to(filling, (blocks * width - len(values), *values.shape[1:]))
    return np.concatenate([values, rest]).reshape(blocks, width, *values.shape[1:])


def products(steps: Floats) -> Floats:
    """The product of the first 1, 2, … T matrices: T × k × k."""
    if not len(steps):
        return steps
    inside, ahead = prefix_products(steps)
    return (ahead[:, None] @ inside).reshape(-1, *steps.shape[1:])[: len(steps)]


def walk(table: StateTable, first: int, start: Floats, wanted: Integers, variance: str | None = None) -> Walk:
    """Follows the rows of `start` (m × k) from step `first` on; `wanted` are numbers of steps made, in order."""
    m, k = start.shape
    shape = (len(wanted), m, k)
    found, spread, settled = np.empty(shape), np.zeros(shape), np.empty(shape, bool)
    now, covariance = start, np.zeros((m, k, k))
    positive, below_one = start > 0, start < 1
    at_start = np.searchsorted(wanted, 0, side="right")
    found[:at_start], settled[:at_start] = start, ~positive | ~below_one

    last = int(wanted[-1]) if len(wanted) else 0
    for made in range(0, last, PIECE):
        upto = min(made + PIECE, last)
        steps, n = table.matrices(first + made, first + upto)
        slots = slice(*np.searchsorted(wanted, [made, upto], side="right"))
        chosen = wanted[slots] - made - 1
        after = now @ products(steps)
        if variance is not None:
            before = np.concatenate([now[None], after[:-1]])
            weight = before if variance == "greenwood" else after
            spread[slots], covariance = covariances(steps, n, weight, covariance, variance, chosen)
        ever_positive = np.logical_or.accumulate(after > 0, axis=0) | positive
        ever_below = np.logical_or.accumulate(after < 1, axis=0) | below_one
        found[slots], settled[slots] = after[chosen], (~ever_positive | ~ever_below)[chosen]
        now, positive, below_one = after[-1], ever_positive[-1], ever_below[-1]
    return Walk(found, spread, settled)


def covariances(
    steps: Floats, n: Floats, weight: Floats, covariance: Floats, variance: str, chosen: Integers
) -> tuple[Floats, Floats]:
    """Cov ← (I + ΔA)ᵀ Cov (I + ΔA) + Σ_h p_h² Cov(ΔA_h·), for each of m rows p.

    Returns the variances after `chosen` steps (chosen × m × k), and the covariance after all (m × k × k).
    """
    m, k = weight.shape[1:]
    inside, _ = prefix_products(steps)
    steps, weight = in_blocks(steps, np.eye(k)), in_blocks(weight**2, np.zeros((m, k)))
    n = in_blocks(n, np.ones(k))
    blocks, width = steps.shape[:2]
    own = np.zeros((blocks, m, k, k))
    diagonal = np.empty((blocks, width, m, k))
    for j in range(width):
        step = steps[:, j]
        noise = weight[:, j] @ increments(step, n[:, j], variance).reshape(blocks, k, k * k)
        own = step.swapaxes(1, 2)[:, None] @ own @ step[:, None] + noise.reshape(own.shape)
        diagonal[:, j] = np.diagonal(own, axis1=2, axis2=3)
    before = np.empty_like(own)
    for b in range(blocks):
        before[b] = covariance
        covariance = inside[b, -1].T @ covariance @ inside[b, -1] + own[b]
    block, place = np.divmod(chosen, width)
    product = inside[block, place][:, None]
    carried = ((before[block] @ product) * product).sum(axis=2)
    return diagonal[block, place] + carried, covariance


def increments(step: Floats, n: Floats, variance: str) -> Floats:
    """Covariance of each row of ΔA: blocks × k rows × k × k.

    `greenwood`: where the n at risk go is multinomial, (diag(q) − qᵀq)/n, q the row of I + ΔA. `aalen`: the moves are
    independent and each has variance d/n²; staying takes the sum.
    """
    k = step.shape[1]
    eye = np.eye(k)
    if variance == "greenwood":
        return (step[..., None] * eye - step[..., :, None] * step[..., None, :]) / n[..., None, None]
    away = step * (1 - eye) / n[..., None]
    direction = eye[None, :, :] - eye[:, None, :]  # origin × destination × k
    return np.einsum("bgj,gja,gjc->bgac", away, direction, direction, optimize=True)
