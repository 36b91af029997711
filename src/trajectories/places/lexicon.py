"""All names of places, as keys: official names, boroughs, pre-merger names, MRC and regions.

Built once from the reference tables. A key of several codes keeps them all: the caller must choose.
"""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from dataclasses import dataclass

from .spelling import joined, key_of, without_articles
from .territory import read_reference, reference_municipalities

# One place under two codes (a village and the land around it), with the population on one of them (README of
# `reference/`, « Twins »).
_TWIN_DESIGNATIONS = {
    "Village cri",
    "Village naskapi",
    "Terre de la catégorie IA",
    "Terre de la catégorie IA-N",
    "Établissement indien",
    "Gouvernement régional",
    "Municipalité",
}
_ESTRIE_SINCE_2021 = ("46", "47")  # Brome-Missisquoi and La Haute-Yamaska, of Montérégie before
_SHORTEST_JOINED = 5  # letters: « D D O » without its small words is « O »
_OTHER_CODES = re.compile(r"\b\d{5}\b")
# Codes that do not identify an administrative region: in the health network 17 and 18 divide region 10, and 04 covers
# 04 and 17.
_UNSURE_REGION_CODES = ("04", "10", "17", "18")


@dataclass(frozen=True)
class Lexicon:
    """Keys → codes. `bare` keys have no articles; `towns` are the urban agglomerations that replace an MRC (« Hors MRC
    (Longueuil) »); `designations` distinguish a Ville from a Canton of the same name; `joined` gives the key of a name
    typed in one word; `kinds` is the kind of alias of a key; `former_regions` is the region, before 2021-07-28, of
    municipalities of Estrie since (design.md, rule 3): used for homonyms only."""

    official: dict[str, tuple[str, ...]]
    aliases: dict[str, tuple[str, ...]]
    boroughs: dict[str, tuple[str, ...]]
    bare: dict[str, tuple[str, ...]]
    prefixes: dict[str, tuple[str, ...]]
    joined: dict[str, str]
    kinds: dict[str, str]
    areas: dict[str, str | None]
    mrc: dict[str, frozenset[str]]
    towns: dict[str, frozenset[str]]
    designations: dict[str, frozenset[str]]
    regions: dict[str, str]
    former_regions: dict[str, str]


@functools.cache
def lexicon() -> Lexicon:
    """The lexicon of the reference tables."""
    table = reference_municipalities()
    official: dict[str, set[str]] = defaultdict(set)
    mrc: dict[str, set[str]] = defaultdict(set)
    towns: dict[str, set[str]] = defaultdict(set)
    designations: dict[str, set[str]] = defaultdict(set)
    for code, name, designation, county in zip(
        table.index, table["name"], table["designation"], table["mrc"], strict=True
    ):
        official[key_of(name)].add(code)
        designations[key_of(designation)].add(code)
        if county.startswith("Hors MRC"):
            towns[key_of(county.removeprefix("Hors MRC"))].add(code)
        else:
            mrc[key_of(county)].add(code)
    official = {key: _one_of_twins(codes) for key, codes in official.items()}

    aliases: dict[str, set[str]] = defaultdict(set)
    boroughs: dict[str, set[str]] = defaultdict(set)
    kinds: dict[str, str] = {}
    for row in read_reference("aliases").itertuples(index=False):
        key = key_of(row.alias)
        kinds.setdefault(key, row.kind)
        if row.kind == "arrondissement":
            boroughs[key].add(row.code)
        others = _OTHER_CODES.findall(row.also)
        # an alias that is also an official name is a homonym; one of the same codes alone is dropped below
        aliases[key] |= {row.code, *others, *official.get(key, ())}
    spelled = {key: codes for key, codes in aliases.items() if codes != official.get(key)}

    bare: dict[str, set[str]] = defaultdict(set)
    for names in (official, spelled):
        for key, codes in names.items():
            bare[without_articles(key)] |= codes

    prefixes: dict[str, set[str]] = defaultdict(set)
    for key, codes in official.items():
        words = key.split()
        if words[0] in ("saint", "sainte", "saints", "notre"):
            for length in range(2, len(words)):
                prefixes[" ".join(words[:length])] |= codes

    regions = table["region_code"].to_dict()
    return Lexicon(
        official=_sorted(official),
        aliases=_sorted(spelled),
        boroughs=_sorted(boroughs),
        bare=_sorted(bare),
        prefixes=_sorted(prefixes),
        joined=_joined(official | spelled),
        kinds=kinds,
        areas=_areas(mrc, regions),
        mrc={key: frozenset(codes) for key, codes in _with_bare(mrc).items()},
        towns={key: frozenset(codes) for key, codes in towns.items()},
        designations={key: frozenset(codes) for key, codes in designations.items()},
        regions=regions,
        former_regions={code: "16" for code in regions if code[:2] in _ESTRIE_SINCE_2021},
    )


def _one_of_twins(codes: set[str]) -> set[str]:
    if len(codes) == 1:
        return codes
    table = reference_municipalities().loc[sorted(codes)]
    population = table["population"].replace("", "0").astype(int)
    twins = (
        table["designation"].isin(_TWIN_DESIGNATIONS).all()
        and (table.index.str[:2].isin(["97", "99"])).all()
        and (population > 0).sum() == 1
    )
    return {population.idxmax()} if twins else codes


def _joined(names: dict[str, set[str]]) -> dict[str, str]:
    """Names without spaces → their key, where they are unambiguous; « saint » abbreviated too."""
    keys: dict[str, set[str]] = defaultdict(set)
    for key in names:
        first, _, rest = key.partition(" ")
        short = {"saint": "st ", "sainte": "ste "}.get(first)
        for text in (key, f"{short}{rest}") if short and rest else (key,):
            keys[text.replace(" ", "")].add(key)
            keys[joined(text)].add(key)
    single = {text: sorted(keys_of_text) for text, keys_of_text in keys.items()}
    return {
        text: keys_of_text[0]
        for text, keys_of_text in single.items()
        if len(text) >= _SHORTEST_JOINED and all(names[key] == names[keys_of_text[0]] for key in keys_of_text)
    }


def _areas(mrc: dict[str, set[str]], regions: dict[str, str]) -> dict[str, str | None]:
    """Regional words → region code, None where the word spans several regions or does not identify one."""
    areas: dict[str, str | None] = {}
    for key, codes in mrc.items():
        within = {regions[code] for code in codes}
        areas[key] = within.pop() if len(within) == 1 else None
    for row in read_reference("region_aliases").itertuples(index=False):
        areas[key_of(row.alias)] = row.region_code or None
    names = reference_municipalities()[["region_code", "region_name"]].drop_duplicates()
    for code, name in names.itertuples(index=False):
        areas[key_of(name)] = code
        areas[f"{code} {key_of(name)}"] = areas[f"{key_of(name)} {code}"] = code
        sure = None if code in _UNSURE_REGION_CODES else code
        areas[code] = areas[str(int(code))] = sure
    areas["18"] = None
    return areas


def _with_bare(names: dict[str, set[str]]) -> dict[str, set[str]]:
    both: dict[str, set[str]] = defaultdict(set)
    for key, codes in names.items():
        both[key] |= codes
        both[without_articles(key)] |= codes
    return both


def _sorted(names: dict[str, set[str]]) -> dict[str, tuple[str, ...]]:
    return {key: tuple(sorted(codes)) for key, codes in names.items()}
