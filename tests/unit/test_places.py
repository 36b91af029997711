"""Typed places: each kind of spelling and each kind of doubt."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trajectories.places import find_places, municipalities
from trajectories.study import PERIMETERS
from trajectories.tables import MATCHES, ZONES

FOUND = {
    # spelling
    "Saint-Jean-sur-Richelieu": ("56083", "exact"),
    "ST-JEAN S/ RICHELIEU": ("56083", "exact"),
    "st jean s richelieu": ("56083", "exact"),
    "TROIS RIVIERES": ("37067", "exact"),
    "Trois‑Rivières": ("37067", "exact"),
    "Trois–Rivie\u0300res": ("37067", "exact"),
    "\xa0Trois-Rivières\xa0": ("37067", "exact"),
    "Trois-Rivières (QC)": ("37067", "exact"),
    "Trois-Rivières, Québec, Canada": ("37067", "exact"),
    "Trois_Rivieres QC": ("37067", "exact"),
    "Val d’Or": ("89008", "exact"),
    "Malbaie": ("15013", "alias"),
    "Ste-Thérèse": ("73010", "exact"),
    "Gatineau J8X 1A1": ("81017", "exact"),
    "Venise-en-Québec": ("56005", "exact"),
    "Troisrivieres": ("37067", "exact"),
    "StJean-sur-Richelieu": ("56083", "exact"),
    "St-Jean Richelieu": ("56083", "exact"),
    "Sainte-Anne-Monts": ("04037", "exact"),
    "L Ancienne Lorette": ("23057", "exact"),
    "Ancienne-Lorette": ("23057", "alias"),
    "Ville de Sherbrooke": ("43027", "exact"),
    "Mun. de Chelsea": ("82025", "exact"),
    "Municipalité de la paroisse de Saint-Narcisse": ("37240", "exact"),
    "City of Sherbrooke": ("43027", "exact"),
    "56083 - Saint-Jean-sur-Richelieu": ("56083", "exact"),
    "Gatineau J8X": ("81017", "exact"),
    "TROIS-RIVIERES [QC]": ("37067", "exact"),
    "Ville de Québec": ("23027", "alias"),
    "Québec (ville)": ("23027", "alias"),
    # a town's name in a municipality column is the town
    "Québec": ("23027", "exact"),
    "Laval": ("65005", "exact"),
    "Montréal": ("66023", "exact"),
    "Saguenay": ("94068", "exact"),
    # boroughs, quarters, pre-merger names
    "Montréal-Nord": ("66023", "alias"),
    "Pierrefonds": ("66023", "alias"),
    "Arrondissement Ville-Marie": ("66023", "alias"),
    "Chicoutimi": ("94068", "alias"),
    "Jonquière": ("94068", "alias"),
    "Hull": ("81017", "alias"),
    "Rock Forest": ("43027", "alias"),
    "Le Plateau (Gatineau)": ("81017", "alias"),
    # qualifiers settle homonyms
    "Saint-Isidore (Chaudière-Appalaches)": ("26063", "exact"),
    "Saint-Isidore, Roussillon": ("67040", "exact"),
    "Saint-Lambert (Longueuil)": ("58012", "exact"),
    "Bedford (Canton)": ("46040", "exact"),
    "Sainte-Sabine (Montérégie)": ("46105", "exact"),  # Estrie since 2021-07-28
    "Paroisse de Senneterre": ("89045", "exact"),
    "Canton de Hatley": ("45055", "exact"),
    # two names of one place
    "Gatineau - secteur Hull": ("81017", "alias"),
    "Montréal/Verdun": ("66023", "alias"),
    # codes typed for a name
    "66023": ("66023", "code"),
    "1023": ("01023", "code"),
}
UNDECIDED = {
    "Saint-Lambert": ("ambiguous", None, "unknown"),
    "Saint-Isidore": ("ambiguous", None, "unknown"),
    "Ville-Marie": ("ambiguous", None, "unknown"),
    "Bedford": ("ambiguous", "05", "region"),  # a town and its township: both in one region
    "Saint-Jean-Baptiste (Québec)": ("ambiguous", None, "region"),  # a quarter of the town, or the province
    "Montérégie": ("area_only", "16", "unknown"),
    "Laurentides": ("area_only", "15", "unknown"),
    "Estrie": ("area_only", "05", "region"),
    "05 - Estrie": ("area_only", "05", "region"),
    "Île de Montréal": ("area_only", "06", "metropole"),
    "MRC de Portneuf": ("area_only", "03", "region"),
    "La Matapédia": ("area_only", "01", "region"),
    "06": ("area_only", "06", "metropole"),
    "RSS 16": ("area_only", "16", "unknown"),
    "17": ("area_only", None, "unknown"),  # Centre-du-Québec, or Nunavik for the health network
    "Rive-Sud": ("area_only", None, "unknown"),
    "hors Québec": ("area_only", None, "outside_quebec"),
    "Ontario": ("area_only", None, "outside_quebec"),
    "Ottawa (Ontario)": ("area_only", None, "outside_quebec"),
    "Côte d'Ivoire": ("area_only", None, "outside_quebec"),
    "inconnu": ("none", None, "unknown"),
    "Ville de Saint-Lambert": ("ambiguous", None, "unknown"),  # loosely used, and the zone hangs on it
    "Montréal (Laval)": ("ambiguous", None, "metropole"),
    "J4P 1A1": ("none", None, "unknown"),
    "QC": ("none", None, "unknown"),
    "MRC des Collines-de-l'Outaouais": ("area_only", "07", "region"),
    "Région administrative 05": ("area_only", "05", "region"),
    "Région de Sherbrooke": ("area_only", None, "unknown"),
    "Guadeloupe": ("area_only", None, "outside_quebec"),
    "Zzyzx": ("none", None, "unknown"),
    "???": ("none", None, "unknown"),
}


@pytest.mark.parametrize(("typed", "expected"), FOUND.items())
def test_found(typed, expected):
    row = find_places([typed]).iloc[0]
    assert (row["code"], row["match"]) == expected
    assert row["region"] == municipalities("CMM").loc[row["code"], "region"]
    assert row["candidates"] is None


@pytest.mark.parametrize(("typed", "expected"), UNDECIDED.items())
def test_never_guessed(typed, expected):
    row = find_places([typed]).iloc[0]
    assert row["code"] is None
    assert (row["match"], row["region"], row["zone"]) == expected


def test_blank_is_missing_not_unknown():
    assert find_places([None, " "])[["code", "region", "zone", "match"]].isna().all(axis=None)


def test_an_ambiguous_name_keeps_its_candidates():
    assert find_places(["St-Lambert"]).loc[0, "candidates"] == "58012;87120"


def test_a_homonym_is_settled_by_its_own_code():
    rows = find_places(["Saint-Lambert"] * 3, codes=["58012", "87120", "66023"])
    assert rows["code"].tolist() == ["58012", "87120", None]
    assert rows["match"].tolist() == ["code", "code", "ambiguous"]


def test_a_homonym_is_settled_by_its_postal_code():
    rows = find_places(["Saint-Lambert", "Saint-Lambert", "Bedford"], postal_codes=["J4P 1A1", "J9Z 1A1", "J0J 1A0"])
    assert rows["code"].tolist() == ["58012", "87120", None]
    assert rows["match"].tolist() == ["postal", "postal", "ambiguous"]


def test_a_postal_code_is_never_over_a_name_and_places_nothing_alone():
    rows = find_places(["Rimouski", "Zzyzx", None], postal_codes=["H2X 1Y4"] * 3)
    assert rows["code"].tolist() == ["10043", None, None]


def test_the_name_wins_over_the_code_and_the_code_over_a_regional_word():
    rows = find_places(["Rimouski", "Montérégie", None, "Zzyzx"], codes=["66023", "58012", "1023", "81017"])
    assert rows["code"].tolist() == ["10043", "58012", "01023", "81017"]
    assert rows["match"].tolist() == ["exact", "code", "code", "code"]


def test_a_postal_code_typed_for_a_town_leaves_the_code_only_where_they_agree():
    rows = find_places(["H7B 2M9", "H7B 2M9", "(J8X 1A1)"], codes=["66023", "65005", None])
    assert rows["code"].tolist() == [None, "65005", None]


def test_what_left_montérégie_is_estrie_whatever_was_typed():
    rows = find_places(["Granby", "Granby (Montérégie)", "Bromont, Montérégie", "Cowansville (Estrie)"])
    assert rows["region"].tolist() == ["05"] * 4


def test_zone_follows_the_perimeter():
    zone = {p: find_places(["Saint-Jérôme", "Contrecoeur"], perimeter=p)["zone"].tolist() for p in PERIMETERS}
    assert zone["RMR-2021"] == ["metropole", "region"]
    assert zone["CMM"] == ["region", "metropole"]


def test_unknown_perimeter_names_the_three():
    with pytest.raises(ValueError, match="RMR-2021, RMR-2016, CMM"):
        find_places(["Laval"], perimeter="Montréal")


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="codes has 1"):
        find_places(["Laval", "Québec"], codes=["65005"])


def test_order_and_index_of_the_input():
    typed = ["Laval", None, "Québec", "Laval"]
    assert find_places(pd.Series(typed, index=[9, 8, 7, 6]))["value"].tolist() == typed
    assert find_places([]).empty


@given(
    st.one_of(st.text(), st.text("() ,.-'/0123456789saintqé", max_size=20)), st.text(max_size=7), st.text(max_size=7)
)
def test_any_text_gives_a_row_that_keeps_the_schema(typed, code, postal):
    row = find_places([typed], codes=[code], postal_codes=[postal]).iloc[0]
    assert row["match"] is None or row["match"] in MATCHES
    assert row["zone"] is None or row["zone"] in ZONES
    assert (row["code"] is not None) == (row["match"] in ("exact", "alias", "fuzzy", "code", "postal"))


@pytest.mark.parametrize(
    "case", [str.upper, str.lower, lambda name: name.replace("-", " "), lambda name: f"{name} (QC)"]
)
def test_every_official_name_is_found_however_it_is_typed(case):
    table = municipalities("CMM")
    found = find_places([case(name) for name in table["name"]], codes=table.index)
    assert (found["code"].to_numpy() == table.index.to_numpy()).mean() > 0.99  # twins of the North under two codes
    alone = find_places([case(name) for name in table["name"]])
    wrong = alone["code"].notna().to_numpy() & (alone["code"].to_numpy() != table.index.to_numpy())
    assert set(table.loc[wrong, "region"]) <= {"09", "10"}  # again the twins
