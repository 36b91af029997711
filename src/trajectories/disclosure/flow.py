"""How far could a hidden cell be from the truth, given what is shown? Answered on a network.

Groups are rows, keys are columns, the province is their sum. Every number has a room to move, down and up, that a
reader cannot see: a rounded cell moves inside its rounding interval, a hidden one from its floor without ceiling, a
known total not at all. A cell can take another value if the change can travel back to it through the others, and
keep all sums: a maximum flow in the residual network (Cox 1995, « Network models for complementary cell
suppression », JASA 90). Exact: a linear programme over the same table finds the same bounds (tests).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

UNLIMITED = 10**9
HUB = "hub"  # where the province's cells end and the groups' totals begin

Arc = tuple[object, object, int, int]  # from, to, room down, room up


def reach(arcs: Iterable[Arc], start: object, end: object, moved: tuple[int, int]) -> tuple[int, int]:
    """
    How far the arc start → end can go down and up, at most by `moved` (down, up), all sums kept.

    Examples
    --------
    >>> row = [("05", "a", 2, 2), ("05", "b", 1, UNLIMITED), ("a", HUB, 9, 9), ("b", HUB, 9, 9)]
    >>> reach(row, "05", "b", (8, 8))  # only "a" can give back what "b" takes
    (1, 2)
    """
    arcs = list(arcs)
    own_down, own_up = next((down, up) for tail, head, down, up in arcs if (tail, head) == (start, end))
    up = _max_flow(arcs, end, start, min(moved[1], own_up), (start, end))
    down = _max_flow(arcs, start, end, min(moved[0], own_down), (start, end))
    return down, up


def _max_flow(arcs: list[Arc], source: object, sink: object, limit: int, without: tuple[object, object]) -> int:
    room: dict[object, dict[object, int]] = {}
    for tail, head, down, up in arcs:
        if (tail, head) != without:
            room.setdefault(tail, {})[head] = up
            room.setdefault(head, {})[tail] = down
    done = 0
    while done < limit:
        before = {source: None}
        queue = deque([source])
        while queue and sink not in before:
            node = queue.popleft()
            for following, left in room.get(node, {}).items():
                if left > 0 and following not in before:
                    before[following] = node
                    queue.append(following)
        if sink not in before:
            break
        path = [sink]
        while before[path[-1]] is not None:
            path.append(before[path[-1]])
        steps = list(zip(path[1:], path[:-1], strict=True))
        amount = min(limit - done, *(room[a][b] for a, b in steps))
        for a, b in steps:
            room[a][b] -= amount
            room[b][a] = room[b].get(a, 0) + amount
        done += amount
    return done
