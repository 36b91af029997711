"""Typed places → municipalities, as a ratio to rapidfuzz `extractOne` one by one (median of 7 interleaved runs).

The peer looks each spelling up among the official names; it takes about a millisecond each, so it runs on a sample of
them and its time is scaled linearly. It is timed with its default scorer (WRatio) and, harder, with `fuzz.ratio`. Our
side does all its work: normalisation, aliases, homonyms, areas, slips, zones.

    .venv/bin/python benchmarks/places.py [spellings] [sample]
"""

import statistics
import sys
import time

import numpy as np
from rapidfuzz import fuzz, process

from trajectories.places import find_places, municipalities
from trajectories.places.matching import answer, decide, near_names
from trajectories.places.spelling import key_of
from trajectories.places.territory import read_reference

_NEAR = {"a": "qzs", "e": "rz", "i": "uo", "l": "km", "n": "b", "o": "ip", "r": "et", "s": "dq", "t": "ry", "u": "yi"}


def slip(text: str, rng: np.random.Generator) -> str:
    """One letter left out, doubled, swapped with the next or replaced by its neighbour; never the first."""
    i, kind = int(rng.integers(1, len(text))), int(rng.integers(4))
    if kind == 0:
        return text[:i] + text[i + 1 :]
    if kind == 1:
        return text[:i] + text[i] + text[i:]
    if kind == 2:
        return text[:i] + text[i + 1 : i + 2] + text[i] + text[i + 2 :]
    near = _NEAR.get(text[i].lower(), "e")
    return text[:i] + near[int(rng.integers(len(near)))] + text[i + 1 :]


def make(number: int) -> list[str]:
    """Distinct spellings of official names and aliases: half with one slip, the others in the ways people type them."""
    rng = np.random.default_rng(1)
    names = [*municipalities("CMM")["name"], *read_reference("aliases")["alias"]]
    made: dict[str, None] = {}
    while len(made) < number:
        text = names[int(rng.integers(len(names)))]
        if rng.random() < 0.5:
            text = slip(text, rng)
        if rng.random() < 0.3:
            text = text.replace("Sainte-", "Ste-").replace("Saint-", "St-").replace("-sur-", " s/ ")
        text = (str, str.upper, str.lower, str.title)[int(rng.integers(4))](text)
        if rng.random() < 0.3:
            text = text.replace("-", " ")
        text += ("", "", " (QC)", ", Québec", " QC", ", Canada")[int(rng.integers(6))]
        made[text] = None
    return list(made)


def accuracy(slips: int, each: int = 6) -> None:
    """Slips in every official name that no other has: settled rightly, wrongly, or left; also weighted by people."""
    table, rng = municipalities("CMM"), np.random.default_rng(3)
    table = table[find_places(table["name"])["code"].to_numpy() == table.index]
    true = np.repeat(table.index.to_numpy(), each)
    typed = np.repeat(table["name"].to_numpy(), each)
    for _ in range(slips):
        typed = [slip(text, rng) for text in typed]
    found = find_places(typed)
    right = (found["code"] == true).to_numpy()
    wrong = found["code"].notna().to_numpy() & ~right
    people = np.repeat(table["population"].fillna(0).to_numpy(dtype=float), each)
    print(f"{slips} slip(s) in each of {len(table):,} names, {each} times: right {right.mean():.2%}, wrong "
          f"{wrong.mean():.2%}, left {1 - right.mean() - wrong.mean():.2%}; weighted by people: right "
          f"{right @ people / people.sum():.2%}, wrong {wrong @ people / people.sum():.3%}")  # fmt: skip


def unknown_names() -> None:
    """Localities and former names, each read as if the table did not have it: how many are taken for another place."""
    table = read_reference("aliases")
    table = table[
        table["kind"].isin(["merged_or_locality", "former_name", "arrondissement"]) & (table["n_codes"] == "1")
    ]
    taken = 0
    for code, key in zip(table["code"], table["alias"].map(key_of), strict=True):
        others = [hit for hit in near_names([key])[0] if code not in (answer(hit[1]).code, *answer(hit[1]).candidates)]
        taken += bool(others) and decide(key, "", (), others).code is not None
    print(f"{len(table)} names of localities, each left out of the table: {taken / len(table):.2%} taken for another")


def seconds(work) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main(number: int = 100_000, sample: int = 1000, repeats: int = 7) -> None:
    typed = make(number)
    official = municipalities("CMM")["name"].tolist()
    few = [typed[i] for i in np.random.default_rng(2).choice(number, sample, replace=False)]
    find_places(typed[:10])  # the tables are read once a process
    ours, peer = [], {"WRatio (its default)": [], "fuzz.ratio": []}
    for _ in range(repeats):
        ours.append(seconds(lambda: find_places(typed)))
        for name, scorer in zip(peer, (fuzz.WRatio, fuzz.ratio), strict=True):
            taken = seconds(lambda scorer=scorer: [process.extractOne(text, official, scorer=scorer) for text in few])
            peer[name].append(taken * number / sample)
    found = find_places(typed)
    print(f"{number:,} distinct spellings, {found['code'].notna().mean():.1%} settled: {statistics.median(ours):.2f} s")
    print(found["match"].value_counts().to_string())
    for name, times in peer.items():
        ratio = statistics.median(ours) / statistics.median(times)
        print(f"extractOne, {name}: {statistics.median(times):.1f} s (scaled from {sample:,}); ratio {ratio:.3f}")
    accuracy(1)
    accuracy(2)
    unknown_names()


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:3]))
