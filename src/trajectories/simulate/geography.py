"""Where the simulated people live: the reference tables of `places`, as weighted choices.

A municipality decides zone and region; the zone is that of the RMR 2021. Reserves, northern and Cree villages and
unorganised territories receive nobody: no partner settles people there.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import pandas as pd

from .settings import CITY_SIZES, Choice, pick, weights, words

# Shares of the regions among establishments (domain.md §3.1, §3.3: very unequal, a few too small to publish).
REGION_SHARES = weights(
    "03 0.225 05 0.165 07 0.130 12 0.100 04 0.075 17 0.072 16 0.060 02 0.044 01 0.032 14 0.030 15 0.028 08 0.024 11 "
    "0.009 09 0.006 10 0.002"
)
_SETTLED = words(
    "Ville|Municipalité|Paroisse|Village|Canton|Cantons unis|Municipalité de village|Municipalité de paroisse|"
    "Municipalité de canton"
)
MONTREAL = "66023"
_LATIN = str.maketrans({"œ": "oe", "Œ": "OE", "æ": "ae", "–": "-", "’": "'"})


@dataclass(frozen=True)
class Geography:
    """Lookups by municipality code, and choices of municipalities."""

    name: dict[str, str]
    region: dict[str, str]
    region_name: dict[str, str]
    zone: dict[str, str]
    qualifier: dict[str, str]  # what distinguishes a homonym from the others: its MRC, else its designation
    mrc: dict[str, str]
    population: dict[str, int]
    homonyms: frozenset[str]
    by_population: dict[str, Choice]
    small_too: dict[str, Choice]
    metropole: Choice
    ring: Choice
    regions: Choice
    aliases: dict[str, list[tuple[str, str]]]
    spellings: tuple[str, ...]  # every known spelling, plain
    fsa: dict[tuple[str, str], list[str]]
    sharing: dict[str, frozenset[str]]  # plain spelling: every municipality that goes by it
    postal_areas: dict[str, tuple[frozenset[str], str]]  # first half of a postal code: regions, side of the CMM
    cmm: dict[str, str]

    def namesakes(self, code: str) -> frozenset[str]:
        """The municipalities with the same name as this one, former names and itself included."""
        return self.sharing[plain_name(self.name[code])]

    def told_by_postal_code(self, code: str, among: frozenset[str], postal: str) -> bool:
        """Whether the first half of a postal code identifies a municipality among those that share its name."""
        regions, side = self.postal_areas.get(postal[:3].upper(), (frozenset(), ""))
        left = {c for c in among if self.region[c] in regions and (side == "mixed" or self.cmm[c] == side)}
        return left == {code}

    def city_size(self, code: str) -> str:
        """Class of population of a municipality (cohort's `city_size`)."""
        return CITY_SIZES[int(np.searchsorted((10_000, 50_000, 100_000), self.population[code], "right"))]

    def draw_in_region(self, rng: np.random.Generator, region: str, but: str = "") -> str:
        """A municipality of a region, outside the metropole: mostly by population, sometimes a small one."""
        for _ in range(20):
            table = self.small_too if rng.random() < 0.15 else self.by_population
            code = table[region].draw(rng)
            if code != but:
                break
        return code

    def draw_metropole(self, rng: np.random.Generator) -> str:
        """A municipality of the metropole: Montréal in 7 cases of 10."""
        return MONTREAL if rng.random() < 0.7 else self.metropole.draw(rng)

    def postal_code(self, rng: np.random.Generator, code: str) -> str:
        """A postal code of the right region and side of the metropolitan border; invented beyond its first half."""
        side = "1" if self.zone[code] == "metropole" else "0"
        known = self.fsa.get((self.region[code], side))
        if not known:
            return ""
        letters = "ABCEGHJKLMNPRSTVWXYZ"
        return f"{pick(rng, known)} {int(rng.random() * 10)}{pick(rng, letters)}{int(rng.random() * 10)}"


def drop_accents(text: str) -> str:
    """The text without accents.

    >>> drop_accents("Trois-Rivières")
    'Trois-Rivieres'
    """
    decomposed = unicodedata.normalize("NFD", text.translate(_LATIN))
    return "".join(c for c in decomposed if not unicodedata.combining(c))


def plain_name(text: str) -> str:
    """Lower case, without accents, with spaces for dashes and « saint » in full: what makes two spellings one."""
    text = drop_accents(text).lower().replace("-", " ").replace("'", " ")
    return " ".join({"st": "saint", "ste": "sainte", "st.": "saint", "ste.": "sainte"}.get(w, w) for w in text.split())


def _qualifiers(table: pd.DataFrame, plain: pd.Series) -> dict[str, str]:
    mrc = table["mrc"].str.removeprefix("Hors MRC (").str.removesuffix(")")
    shared = pd.DataFrame({"plain": plain, "mrc": mrc}).duplicated(keep=False)
    return dict(zip(table["code"], mrc.where(~shared, table["designation"]), strict=True))


def _reference(name: str) -> pd.DataFrame:
    with (files("trajectories.places") / "reference" / f"{name}.csv").open(encoding="utf-8") as handle:
        return pd.read_csv(handle, dtype=str, keep_default_na=False)


@cache
def geography() -> Geography:
    """The reference tables, read once."""
    table, every_alias, fsa_table = _reference("municipalities"), _reference("aliases"), _reference("fsa")
    table["people"] = pd.to_numeric(table["population"], errors="coerce").fillna(0).astype(int)
    plain = table["name"].map(plain_name)
    homonyms = frozenset(table["name"][plain.duplicated(keep=False)])
    settled = table[table["designation"].isin(_SETTLED) & (table["people"] > 0)]
    inside = settled[settled["rmr_montreal_2021"] == "1"]
    outside = settled[settled["rmr_montreal_2021"] != "1"]
    by_population, small_too = {}, {}
    for region, group in outside.groupby("region_code", sort=True):
        # Homonyms are drawn more often than by their population, to test the reading of places.
        weight = group["people"] * np.where(group["name"].isin(homonyms), 3, 1)
        # Immigrants settle in the larger towns more than in proportion (St-Amour and Ledent 2010).
        by_population[region] = Choice(group["code"].tolist(), (weight * np.sqrt(weight)).tolist())
        small_too[region] = Choice(group["code"].tolist(), weight.tolist())
    shares = {r: s for r, s in REGION_SHARES.items() if r in by_population}
    aliases: dict[str, list[tuple[str, str]]] = {}
    # A spelling that is also a town's own name, or a region's, would be ambiguous.
    taken = set(plain) | set(_reference("region_aliases")["alias"].map(plain_name))
    alias_table = every_alias[~every_alias["alias"].map(plain_name).isin(taken)]
    single = alias_table[
        (alias_table["n_codes"] == "1")
        & alias_table["kind"].isin(("arrondissement", "merged_or_locality", "former_name"))
    ]
    for alias, code, kind in single[["alias", "code", "kind"]].itertuples(index=False):
        aliases.setdefault(code, []).append((alias, kind))
    fsa: dict[tuple[str, str], list[str]] = {}
    for row in fsa_table.itertuples(index=False):
        if row.cmm in ("0", "1") and row.region_code == row.regions_all:
            fsa.setdefault((row.region_code, row.cmm), []).append(row.fsa)
    sharing: dict[str, set[str]] = {}
    for key, code in zip(plain, table["code"], strict=True):
        sharing.setdefault(key, set()).add(code)
    for alias, code in every_alias[["alias", "code"]].itertuples(index=False):
        sharing.setdefault(plain_name(alias), set()).add(code)
    ring, of = inside[inside["code"] != MONTREAL], table.set_index("code")
    return Geography(
        name=of["name"].to_dict(),
        region=of["region_code"].to_dict(),
        region_name=dict(zip(table["region_code"], table["region_name"], strict=True)),
        zone=of["rmr_montreal_2021"].eq("1").map({True: "metropole", False: "region"}).to_dict(),
        qualifier=_qualifiers(table, plain),
        mrc=of["mrc"].to_dict(),
        population=of["people"].to_dict(),
        homonyms=homonyms,
        by_population=by_population,
        small_too=small_too,
        metropole=Choice(inside["code"].tolist(), inside["people"].tolist()),
        ring=Choice(ring["code"].tolist(), ring["people"].tolist()),
        regions=Choice(list(shares), list(shares.values())),
        aliases=aliases,
        spellings=tuple(sorted(taken | set(alias_table["alias"].map(plain_name)))),
        fsa=fsa,
        sharing={key: frozenset(codes) for key, codes in sharing.items()},
        postal_areas={r.fsa: (frozenset(r.regions_all.split("/")), r.cmm) for r in fsa_table.itertuples(index=False)},
        cmm=of["cmm"].to_dict(),
    )
