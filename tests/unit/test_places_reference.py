"""The reference tables themselves: perimeters, regions, aliases, postal areas."""

import re

import pytest

from trajectories.places import city_sizes, find_places, municipalities, region_names, zones
from trajectories.places.spelling import key_of
from trajectories.places.territory import read_reference, same_side
from trajectories.study import PERIMETERS, REGION_CODES
from trajectories.tables import CITY_SIZES

REGIONS = {
    "01": "Bas-Saint-Laurent", "02": "Saguenay–Lac-Saint-Jean", "03": "Capitale-Nationale", "04": "Mauricie",
    "05": "Estrie", "06": "Montréal", "07": "Outaouais", "08": "Abitibi-Témiscamingue", "09": "Côte-Nord",
    "10": "Nord-du-Québec", "11": "Gaspésie–Îles-de-la-Madeleine", "12": "Chaudière-Appalaches", "13": "Laval",
    "14": "Lanaudière", "15": "Laurentides", "16": "Montérégie", "17": "Centre-du-Québec",
}  # fmt: skip
# data of the geography notes: what distinguishes the three perimeters
RMR_NOT_CMM = {
    "Lavaltrie", "Saint-Jean-sur-Richelieu", "L'Épiphanie", "Saint-Roch-de-l'Achigan", "Saint-Lin–Laurentides",
    "Kahnawake", "Saint-Zotique", "Les Coteaux", "Coteau-du-Lac", "Saint-Placide", "Kanesatake", "Saint-Colomban",
    "Saint-Jérôme", "Gore",
}  # fmt: skip
CMM_NOT_RMR = {"Calixa-Lavallée", "Contrecoeur", "Saint-Jean-Baptiste"}


def inside(perimeter):
    table = municipalities(perimeter)
    return table[table["zone"] == "metropole"]


def codes_in(cell):
    return set(re.findall(r"\b\d{5}\b", cell))


def test_perimeters_have_their_size():
    assert {p: len(inside(p)) for p in PERIMETERS} == {"CMM": 82, "RMR-2021": 93, "RMR-2016": 92}


def test_perimeters_differ_where_they_should():
    cmm, rmr = inside("CMM")["name"], inside("RMR-2021")["name"]
    assert set(rmr[~rmr.index.isin(cmm.index)]) == RMR_NOT_CMM
    assert set(cmm[~cmm.index.isin(rmr.index)]) == CMM_NOT_RMR


def test_the_cmm_has_its_five_sectors():
    table = inside("CMM")
    counts = table["region"].value_counts().to_dict()
    longueuil = table["mrc"].eq("Hors MRC (Longueuil)").sum()
    assert (counts["06"], counts["13"], longueuil) == (16, 1, 5)
    assert (counts["14"] + counts["15"], counts["16"] - longueuil) == (20, 40)


def test_regions_have_their_official_names():
    assert region_names() == REGIONS
    assert tuple(region_names()) == REGION_CODES


@pytest.mark.parametrize("perimeter", PERIMETERS)
def test_regions_06_and_13_are_wholly_inside_and_only_14_15_16_partly(perimeter):
    sides = municipalities(perimeter).groupby("region")["zone"].agg(set)
    assert sides["06"] == sides["13"] == {"metropole"}
    assert {region for region, found in sides.items() if len(found) == 2} == {"14", "15", "16"}


def test_codes_are_text_of_five_digits():
    codes = municipalities("CMM").index
    assert codes.is_unique
    assert all(re.fullmatch(r"\d{5}", code) for code in codes)


@pytest.mark.parametrize("perimeter", PERIMETERS)
def test_what_left_montérégie_in_2021_is_estrie_for_all_dates(perimeter):
    table = municipalities(perimeter)
    moved = table[table["mrc"].isin(["Brome-Missisquoi", "La Haute-Yamaska"])]
    assert {"Granby", "Bromont", "Cowansville"} <= set(moved["name"])
    assert set(moved["region"]) == {"05"}
    assert set(moved["zone"]) == {"region"}
    assert find_places(["Granby"], perimeter=perimeter).loc[0, "region"] == "05"


def test_every_alias_points_to_a_code_that_exists_and_names_it():
    aliases, names = read_reference("aliases"), municipalities("CMM")["name"]
    assert set(aliases["code"]) <= set(names.index)
    assert (names.reindex(aliases["code"]).to_numpy() == aliases["municipality"].to_numpy()).all()
    assert set().union(*aliases["also"].map(codes_in)) <= set(names.index)
    assert not aliases.duplicated(["alias", "code"]).any()


def test_an_alias_is_flagged_ambiguous_where_others_claim_it():
    aliases = read_reference("aliases")
    claims = {}
    for code, name in municipalities("CMM")["name"].items():
        claims.setdefault(key_of(name), set()).add(code)
    for key, code in zip(aliases["alias"].map(key_of), aliases["code"], strict=True):
        claims.setdefault(key, set()).add(code)
    for row in aliases.itertuples():
        others = claims[key_of(row.alias)] - {row.code}
        assert others <= codes_in(row.also), row
        assert (int(row.n_codes) > 1) == bool(codes_in(row.also)), row


def test_regional_words_say_a_region_that_exists():
    words = read_reference("region_aliases")
    assert set(words["region_code"]) <= {*REGION_CODES, ""}
    assert words["alias"].is_unique


def test_postal_areas_are_of_québec_and_in_regions_that_exist():
    areas = read_reference("fsa")
    assert areas["fsa"].is_unique
    assert areas["fsa"].str.fullmatch(r"[GHJ]\d[ABCEGHJ-NPR-TV-Z]").all()
    assert set(areas["cmm"]) == {"0", "1", "mixed"}
    for row in areas.itertuples():
        assert row.region_code in row.regions_all.split("/")
        assert set(row.regions_all.split("/")) <= set(REGION_CODES)
        assert row.ambiguity or ("/" not in row.regions_all and row.cmm != "mixed")
    # an area of the CMM lies in a region that has some of it
    assert set(areas.loc[areas["cmm"] == "1", "region_code"]) <= set(inside("CMM")["region"])


def test_the_cached_table_cannot_be_spoilt():
    municipalities("CMM")["zone"] = "x"
    assert set(municipalities("CMM")["zone"]) == {"metropole", "region"}


def test_zones_and_sizes_of_missing_codes():
    assert zones([None, "99999", "66023"], "CMM").tolist() == ["unknown", "unknown", "metropole"]
    assert city_sizes([None, "66023"]).tolist() == [None, "100k_plus"]
    assert set(city_sizes(municipalities("CMM").index)) - {None} == set(CITY_SIZES)


def test_one_side_means_of_all_three_perimeters():
    assert same_side(["66023", "65005"])
    assert not same_side(["66023", "56083"])  # in the RMR, not in the CMM
    assert not same_side(["59035", "56083"])  # Contrecoeur is in the CMM alone
