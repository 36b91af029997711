"""Typing slips: taken only where one name is near and no other is; never across zones without evidence."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trajectories.places import find_places, municipalities, zones
from trajectories.places import matching as outside
from trajectories.places.matching import allowed
from trajectories.places.spelling import key_of
from trajectories.places.territory import read_reference
from trajectories.study import PERIMETERS

TAKEN = {
    "Sherboroke": "43027",  # swapped
    "Gaitneau": "81017",
    "Drummondvile": "49058",  # left out
    "MONTREEAL": "66023",  # doubled
    "SHAWINIGAb": "36033",  # a neighbour
    "Mobtreal": "66023",
    "Sy Thomas": "61027",  # in « St »
    "S-Calixte": "63055",
    "Siant-Amable": "59015",
    "Otterburn aPrk": "57030",  # across a space
    "Trois-Rivierres (QC)": "37067",
    "Qurbec, QC": "23027",
    "Lavaltri": "52007",
    "Val-Mroin": "78005",
    "Chicotuimi": "94068",  # an alias
    "Saint-Isidroe (Chaudière-Appalaches)": "26063",
    "Saint-Jean-sur-Richeleiu": "56083",
    "Granbyy (Montérégie)": "47017",  # Estrie since 2021-07-28; people went on typing Montérégie
}
REFUSED = {
    "Gorre": ("none", "76025"),  # too short for a slip: a hint
    "Lavel": ("ambiguous", "65005;85905"),
    "Val Morn": ("ambiguous", "78005;89008"),
    "Saint-Lambrt": ("ambiguous", "58012;87120"),  # a homonym with a slip
    "Saint-Isidroe": ("ambiguous", "26063;67040"),
    "Rogemont": ("ambiguous", "55037;66023"),  # Rougemont, or Rosemont in Montréal: across zones
    "Saint-Lazaare": ("ambiguous", "71105;93045"),  # Saint-Lazare one stroke away, Saint-Nazaire two, across zones
    "Sherbroke (Montérégie)": ("ambiguous", "43027"),  # what is typed with it says elsewhere
    "Centre-ddu-Québec": ("area_only", None),  # and not « Centre-Sud », in Montréal, QC
    "Montérégi": ("area_only", None),
    "Lanaudierre": ("area_only", None),
    "MRC de Portneu": ("area_only", None),
    "Ontarrio": ("area_only", None),
    "inconu": ("none", None),
    "abcdefgh": ("none", None),
}


@pytest.mark.parametrize(("typed", "code"), TAKEN.items())
def test_taken(typed, code):
    row = find_places([typed]).iloc[0]
    assert (row["code"], row["match"], row["candidates"]) == (code, "fuzzy", None)


@pytest.mark.parametrize(("typed", "expected"), REFUSED.items())
def test_refused(typed, expected):
    row = find_places([typed]).iloc[0]
    assert row["code"] is None
    assert (row["match"], row["candidates"]) == expected


def test_areas_with_a_slip_keep_what_the_area_says():
    rows = find_places(["Montérégi", "Estrrie", "Ontarrio", "Ile de Montrael"])
    assert rows["region"].tolist() == ["16", "05", None, "06"]
    assert rows["zone"].tolist() == ["unknown", "region", "outside_quebec", "metropole"]


def test_evidence_settles_a_refused_slip():
    typed = ["Saint-Lambrt", "Saint-Lambrt", "Saint-Lambrt (Longueuil)", "Gorre", "Rogemont", "Rogemont"]
    rows = find_places(typed, codes=["87120", None, None, "76025", "55037", "81017"],
                       postal_codes=[None, "J4P 1A1", None, None, None, None])  # fmt: skip
    assert rows["code"].tolist() == ["87120", "58012", "58012", "76025", "55037", None]
    assert rows["match"].tolist() == ["code", "postal", "fuzzy", "code", "code", "ambiguous"]


def test_a_name_with_a_slip_wins_over_a_code_as_a_name_does():
    assert find_places(["Sherboroke"], codes=["66023"]).loc[0, "code"] == "43027"


@pytest.mark.parametrize("perimeter", PERIMETERS)
def test_a_slip_means_the_same_for_every_perimeter(perimeter):
    typed = [*TAKEN, *REFUSED]
    columns = ["code", "match", "candidates"]
    assert find_places(typed, perimeter=perimeter)[columns].equals(find_places(typed, perimeter="RMR-2021")[columns])


def _strokes(name):
    for i in range(1, len(name)):
        yield name[:i] + name[i + 1 :]
        yield name[:i] + name[i] + name[i:]
        yield name[:i] + name[i + 1 : i + 2] + name[i] + name[i + 2 :]
        for letter in "aeinrst":
            yield name[:i] + letter + name[i + 1 :]


@pytest.fixture(scope="module")
def mistyped():
    """One slip, of every sort and at every letter, in each name of 5,000 people or more, and in the short ones."""
    table = municipalities("CMM")
    alone = find_places(table["name"])["code"].to_numpy() == table.index
    picked = table[
        alone & (table["population"].fillna(0).ge(5000) | table["name"].str.len().le(5)).to_numpy(dtype=bool)
    ]
    pairs = [(typed, code) for code, name in picked["name"].items() for typed in sorted({*_strokes(name)})]
    rows = find_places([typed for typed, _ in pairs])
    rows["true"] = [code for _, code in pairs]
    return rows


def test_one_slip_is_never_another_municipality(mistyped):
    slipped = mistyped[mistyped["match"] == "fuzzy"]
    assert len(slipped) > 19_000
    assert (slipped["code"] == slipped["true"]).all(), slipped[slipped["code"] != slipped["true"]]


def test_one_slip_never_crosses_a_perimeter(mistyped):
    found = mistyped[mistyped["code"].notna()]
    for perimeter in PERIMETERS:
        crossed = zones(found["code"], perimeter) != zones(found["true"], perimeter)
        # what is left are the names of other places, typed as they are written: no slip can be seen in them
        assert set(found.loc[crossed, "match"]) <= {"exact", "alias"}
        assert crossed.mean() < 0.001


def test_most_slips_are_taken(mistyped):
    weight = municipalities("CMM")["population"].reindex(mistyped["true"]).fillna(0).to_numpy(dtype=float)
    assert (weight * (mistyped["code"] == mistyped["true"])).sum() / weight.sum() > 0.9


def test_two_names_that_a_slip_reaches_stay_ambiguous():
    """Between any two official names of one slip's distance, neither is taken for the other."""
    table = municipalities("CMM")["name"]
    keys = {key_of(name): code for code, name in table.items()}
    near = [(a, b) for a, b in itertools.combinations(sorted(keys), 2) if _middle(a, b)]
    assert near
    between = {_middle(a, b): {keys[a], keys[b]} for a, b in near}
    rows = find_places(list(between))
    assert not (rows["match"] == "fuzzy").any()


def _middle(a, b):
    """A text one letter from each of two names that differ by two letters replaced; None where they do not."""
    if len(a) != len(b):
        return None
    spots = [i for i, (x, y) in enumerate(zip(a, b, strict=True)) if x != y]
    if len(spots) != 2:
        return None
    return a[: spots[0]] + b[spots[0]] + a[spots[0] + 1 :]


@pytest.mark.thorough
def test_areas_and_countries_with_a_slip_are_no_municipality():
    """But where the slip is, letter for letter, the name of a municipality, and where the area bears a town's name."""
    words = [*read_reference("region_aliases")["alias"], *outside._PROVINCES, *outside._COUNTRIES, *outside._PHRASES]
    words = [word for word in words if find_places([word])["code"].isna().all()]
    pairs = [(typed, word) for word in words for typed in sorted({*_strokes(word)})]
    rows = find_places([typed for typed, _ in pairs])
    assert len(rows) > 10_000
    rows["word"] = [word for _, word in pairs]
    taken = rows[rows["match"] == "fuzzy"]
    assert taken.empty, taken[["word", "value", "code"]]


@pytest.mark.thorough
def test_homonyms_with_a_slip_are_not_settled():
    table = municipalities("CMM")
    shared = sorted(set(table["name"][table["name"].duplicated(keep=False)]))
    shared = [name for name in shared if find_places([name])["code"].isna().all()]  # but the twins of the North
    rows = find_places([typed for name in shared for typed in sorted({*_strokes(name)})])
    assert len(rows) > 3000
    assert not (rows["match"] == "fuzzy").any(), rows[rows["match"] == "fuzzy"]


def test_keystrokes_grow_with_what_tells_a_name_apart():
    names = ["gore", "laval", "lac brome", "saint pie", "lavaltrie", "drummondville", "salaberry de valleyfield"]
    assert [allowed(name) for name in names] == [0, 1, 1, 0, 2, 2, 3]


@given(st.text("abeilnrst -'", max_size=25))
def test_order_and_company_do_not_matter(typed):
    alone = find_places([typed]).iloc[0]
    among = find_places(["Laval", "Gaitneau", typed, "Sherboroke"]).iloc[2]
    assert alone.equals(among)
