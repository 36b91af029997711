"""Every defect of the input contract and of domain.md §2 exists at level heavy: counted in the truth and in the files.

COUNTED says where each defect of the two lists is counted in `Truth.defects`, CELLS how it looks in a cell, BYTES how
it looks in a file. A defect without a line here fails `test_no_defect_is_unlisted`.
"""

import csv
import io
import re
import zipfile
from collections import Counter

import pandas as pd
import pytest
from python_calamine import CalamineWorkbook

from trajectories.simulate import DEFECTS, Settings, simulate
from trajectories.simulate.geography import geography

# What the lists say, and the names it is counted under.
COUNTED = {
    # The contract, « How people really type it »: encodings, separators, layout
    "UTF-8 without a byte order mark": ("encoding=utf-8",),
    "UTF-8 with a byte order mark": ("encoding=utf-8-sig",),
    "cp1252": ("encoding=cp1252",),
    "Mac Roman": ("encoding=mac_roman",),
    "UTF-8 read as cp1252": ("encoding=mojibake",),
    "UTF-16": ("encoding=utf-16",),
    "NFD accents": ("encoding=nfd",),
    "no-break spaces, narrow ones too": ("no_break_space", "narrow_no_break_space"),
    "separators": ("separator=';'", "separator=','", "separator='\\t'", "separator='|'"),
    "carriage returns only": ("carriage_returns_only",),
    "decimal comma": ("decimal_comma",),
    "line breaks and quotes in remarks": ("remark_with_line_break",),
    "trailing empty columns": ("trailing_empty_columns",),
    "title rows above the header": ("title_rows",),
    "a total row": ("total_row",),
    "blank rows": ("blank_rows",),
    "organisation on the first row of its block only": ("organisation_on_first_row_only",),
    "header variants": ("header=canonical", "header=label", "header=upper", "header=plain", "header=spaced"),
    "header synonyms (Genre, N° dossier)": ("synonyms",),
    "one sheet a quarter": ("annual",),
    "a hidden sheet, hidden columns": ("hidden_sheet", "hidden_columns"),
    "a sheet without a header": ("notes_sheet",),
    "text and workbooks": ("format=csv", "format=xlsx"),
    # Dates
    "AAAA-MM-JJ": ("dates=iso",),
    "JJ/MM/AAAA": ("dates=dmy",),
    "MM/JJ/AAAA, a whole file": ("dates=mdy",),
    "3 mars 2022": ("dates=words", "date_in_words"),
    "mars 2022": ("date_of_establishment_to_the_month", "arrival_month_only"),
    "T2 2021-2022": ("date_of_establishment_to_the_quarter",),
    "2022": ("date_year_only", "birth_year_only"),
    "date cells, Excel serials of 1900 and 1904": ("dates=excel", "dates=serial", "dates=serial_1904"),
    "two-digit years": ("dates=dmy_short", "date_two_digit_year"),
    "à venir": ("date_to_come",),
    "1900-01-00": ("date_zero",),
    "a cell that contradicts its file's order": ("date_contradicts_the_file",),
    # Places
    "St-, s/": ("places=saint", "place_saint_abbreviated", "place_sur_abbreviated"),
    "capitals without accents": ("places=upper", "place_hyphens_dropped"),
    "no accents": ("places=plain", "place_accents_dropped"),
    "official names": ("places=official",),
    "(QC)": ("place_province_added",),
    "T-R": ("place_initials",),
    "boroughs": ("place_borough",),
    "pre-merger names": ("place_former_name",),
    "homonyms, alone and with their MRC": ("place_homonym_alone", "place_homonym_qualified"),
    "an MRC or a region instead": ("place_mrc", "place_region_word"),
    "« Québec » for the city": ("place_quebec_alone",),
    "sociosanitary codes": ("place_sanitary_code",),
    "typing slips": ("place_slip",),
    "postal code instead": ("place_postal_code",),
    "codes: missing, wrong, without their zero, 1023.0": (
        "code_missing", "code_wrong", "drops_zeros", "code_with_decimals",
    ),
    # Persons
    "swapped names": ("names_swapped",),
    "hyphens": ("hyphen_changed",),
    "names without accents, in capitals": ("name_accents_dropped", "upper_names"),
    "transliteration": ("transliterated",),
    "married name": ("married_name",),
    "part of a name": ("second_given_name_dropped", "compound_family_name_cut"),
    "typo": ("name_slip",),
    "no names, no sex": ("name_missing", "sex_missing"),
    "1 January": ("birth_first_of_january",),
    "day and month of birth swapped": ("birth_day_month_swapped",),
    "file re-opened under a new number": ("file_reopened",),
    "spouse listed as principal": ("spouse_as_principal",),
    "homonyms and twins": ("homonym_persons", "twins"),
    "the same household by two organisations": ("household_by_two_organisations",),
    "status then and now": ("category_changed",),
    "a word that no list knows": ("unknown_word",),
    # Rows and facts out of order
    "service before arrival": ("service_before_arrival",),
    "departure after establishment, on its day": ("departure_after_establishment", "departure_on_establishment"),
    "establishment before the first service": ("establishment_before_service",),
    "negative stay": ("negative_stay",),
    "birth in the future, in the current year": ("birth_in_the_future", "birth_in_the_current_year"),
    "household of 0": ("household_of_zero",),
    "a destination of the metropole": ("metropole_as_establishment",),
    "departure known from the remarks only": ("departure_in_remarks",),
    "an old address": ("stale_address", "old_address_at_establishment"),
    "exact duplicate": ("row_repeated",),
    "late row": ("late_row",),
    "no identity; neither date nor place": ("no_identity", "no_date_no_place"),
    "ragged row": ("ragged",),
    # Deposits
    "superseding re-send": ("resent",),
    "undated re-send, undated name": ("resent_undated", "undated_name"),
    "a name of the organisation's own": ("unruly_name",),
    "identical copy": ("copied_file",),
    "HTML as .xls": ("html_as_xls",),
    "corrupted, cut short": ("corrupted_file", "cut_short_file"),
    "empty, header only": ("empty_file", "header_only"),
    "unclosed quote": ("unclosed_quote",),
    "NUL byte": ("nul_bytes",),
    "cumulative quarters": ("cumulative_quarter",),
    "household level, aggregates": ("household_level_quarter", "aggregate_row"),
    "the form changes, French by words": ("drift", "french_words"),
}  # fmt: skip
_MONTHS = "janvier|février|mars|avril|mai|juin|juillet|août|septembre|octobre|novembre|décembre"
# What is typed in a whole cell: a regular expression.
CELLS = {
    "header as in the contract": "date_etablissement",
    "header with an apostrophe": "Date d'établissement",
    "header with a typographic apostrophe and spaces": " Date d’établissement\u00a0",
    "header in capitals": "DATE D'ETABLISSEMENT",
    "header without accents": "Municipalite de residence",
    "Municipalité de résidence": "Municipalité de résidence",
    "Genre": "Genre",
    "No dossier": "No dossier",
    "title": "Reddition de comptes .*",
    "total": "Total",
    "AAAA-MM-JJ": r"20\d\d-\d\d-\d\d",
    "JJ/MM/AAAA": r"(1[3-9]|2\d|3[01])/\d\d/\d{4}",
    "MM/JJ/AAAA": r"\d\d/(1[3-9]|2\d|3[01])/\d{4}",
    "3 mars 2022": rf"(1er|\d+) ({_MONTHS}) \d{{4}}",
    "mars 2022": rf"({_MONTHS}) \d{{4}}",
    "T2 2021-2022": r"T\d 20\d\d-20\d\d",
    "year": r"20[12]\d",
    "Excel serial of 1900": r"4[3-6]\d{3}",
    "two-digit year": r"\d\d/\d\d/\d\d",
    "à venir": "à venir",
    "1900-01-00": "1900-01-00",
    "St-": "(St|Ste)[-. ].*",
    "s/": r".* s/ ?\w+|.* S/\w+",
    "capitals without accents": "TROIS[ -]RIVIERES|QUEBEC",
    "(QC)": r".*\(QC\)",
    "T-R": "T-R",
    "Québec": "Québec",
    "MRC": "MRC .*",
    "region": "Mauricie|Estrie|Outaouais|Capitale-Nationale|Chaudière-Appalaches|Montérégie|Bas-Saint-Laurent",
    "sociosanitary region": r"RSS \d\d",
    "homonym with its MRC": r"[\w' -]+ \((?!QC|Québec)[\w' –-]+\)",
    "1023.0": r"\d{4,5}\.0",
    "code without its zero": r"[1-9]\d{3}",
    "decimal comma": r"\d,0",
    "household of −3": "-3",
    "born in 2054": "2054-03-12",
    "line break, quotes": r'A dit : "on reste".*\n.*',
    "no-break space": "\u00a0[^ ]+\u00a0",
    "narrow no-break space": ".*\u202f",
    "a déménagé": "A déménagé",
    "hors Québec, a province, a country": "hors Québec|Ontario|France|Alberta",
    "inconnu": "inconnu",
    "décès": "décès",
}


def _text(content):
    return not content.startswith((b"PK", b"\xff\xfe"))


def _utf8(content):
    """The text, or None."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None


def _not_utf8(content):
    return _text(content) and b"service" in content and _utf8(content) is None


def _part(pattern, found):
    """Whether a part of a workbook holds a pattern."""

    def holds(content):
        if not content.startswith(b"PK\x03\x04") or b"xl/workbook.xml" not in content:
            return False
        with zipfile.ZipFile(io.BytesIO(content)) as book:
            return any(re.search(pattern, book.read(n)) for n in book.namelist() if re.search(found, n))

    return holds


BYTES = {
    "byte order mark": lambda b: b.startswith(b"\xef\xbb\xbf"),
    "UTF-16": lambda b: b.startswith(b"\xff\xfe"),
    "cp1252": lambda b: _not_utf8(b) and b"\xe9" in b and b"\x8e" not in b,
    "Mac Roman": lambda b: _not_utf8(b) and b"\x8e" in b,
    "mojibake": lambda b: "Ã©".encode() in b,
    "NFD": lambda b: "e\u0301".encode() in b,
    "semicolons": lambda b: _text(b) and b.split(b"\r")[0].count(b";") > 10,
    "commas": lambda b: _text(b) and b.split(b"\r")[0].count(b",") > 10,
    "tabs": lambda b: _text(b) and b.split(b"\r")[0].count(b"\t") > 10,
    "pipes": lambda b: _text(b) and b.split(b"\r")[0].count(b"|") > 10,
    "NUL": lambda b: _text(b) and b.endswith(b"\0\0\r\n"),
    "carriage returns only": lambda b: _text(b) and b"\r" in b and b"\r\n" not in b,
    "unclosed quote": lambda b: _text(b) and b.count(b'"') == 1,
    "trailing empty columns": lambda b: _text(b) and re.match(rb"[^\r\n]*([;,\t|])\1\1\r", b) is not None,
    "empty": lambda b: b == b"",
    "web page": lambda b: b.startswith(b"<html"),
    "neither text nor workbook": lambda b: b.startswith(b"\0\1\2\3"),
    "1904": _part(rb'date1904="1"', "workbook.xml$"),
    "hidden sheet": _part(rb'state="hidden"', "workbook.xml$"),
    "hidden columns": _part(rb'<col [^>]*hidden="1"', "sheet"),
    "several sheets": _part(rb"T4", "workbook.xml$"),
}


@pytest.fixture(scope="module")
def heavy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("heavy")
    truth = simulate(folder, Settings(households=500, seed=5, defects="heavy"))
    return folder / "raw", truth


@pytest.fixture(scope="module")
def contents(heavy):
    return [p.read_bytes() for p in sorted(heavy[0].rglob("*")) if p.is_file() and p.name != "organismes.csv"]


@pytest.fixture(scope="module")
def cells(heavy, contents):
    """Every distinct cell of the files, with the number of times it is typed; text of the commonest encodings only."""
    found = Counter()
    for content in contents:
        if content.startswith(b"PK") and b"xl/workbook.xml" in content:
            book = CalamineWorkbook.from_filelike(io.BytesIO(content))
            for name in book.sheet_names:
                for row in book.get_sheet_by_name(name).to_python():
                    found.update(str(int(c)) if isinstance(c, float) and c.is_integer() else str(c) for c in row)
        elif _text(content) and _utf8(content):
            text = _utf8(content).replace("\0", "")
            separator = max(";,\t|", key=text[:2000].count)
            for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator):
                found.update(row)
    return found


@pytest.mark.parametrize("what", COUNTED)
def test_heavy_has_it(heavy, what):
    counts = heavy[1].defects.set_index("name")["count"]
    for name in COUNTED[what]:
        assert counts.get(name, 0) >= 1, name


def test_no_defect_is_unlisted(heavy):
    listed = [name for names in COUNTED.values() for name in names]
    assert len(listed) == len(set(listed))
    assert set(listed) == {d.name for d in DEFECTS} | set(heavy[1].defects["name"])


@pytest.mark.parametrize("what", CELLS)
def test_a_cell_shows_it(cells, what):
    assert any(re.fullmatch(CELLS[what], text, flags=re.DOTALL) for text in cells), what


@pytest.mark.parametrize("what", BYTES)
def test_a_file_shows_it(contents, what):
    assert any(BYTES[what](content) for content in contents), what


def test_a_borough_a_former_name_and_a_former_town_are_typed(cells):
    kinds = {kind for names in geography().aliases.values() for alias, kind in names if cells[alias]}
    assert {"arrondissement", "merged_or_locality"} <= kinds


def test_departures_are_known_to_the_day_the_month_the_quarter_and_the_year(heavy):
    rows = heavy[1].rows
    assert set(rows.loc[rows["kind"] == "departure", "date_form"]) >= {"day", "month", "quarter", "year", "missing"}
    assert set(rows["date_form"]) >= {"unreadable", "moved"}


def test_forms_of_places_are_all_there(heavy):
    rows = heavy[1].rows
    assert set(rows["residence_form"]) >= {
        "exact", "variant", "slip", "alias", "qualified", "homonym", "homonym_postal", "area", "sanitary", "postal",
    }  # fmt: skip
    assert set(rows["destination_form"]) >= {"outside", "unknown", "homonym"}


def test_a_sociosanitary_code_is_that_of_the_place(heavy, cells):
    """RSS 17 is the north of the province: nobody of Montréal is typed there."""
    place, rows = geography(), heavy[1].rows
    sanitary = rows.loc[rows["residence_form"] == "sanitary", "residence_code"]
    allowed = {"04" if place.region[c] == "17" else place.region[c] for c in sanitary}
    typed = {text[4:] for text in cells if re.fullmatch(r"RSS \d\d", text)}
    northern = {"10", "17", "18"} if "10" in allowed else set()
    assert typed - northern <= set(place.region_name)
    assert "17" not in typed or "10" in allowed


def test_a_name_that_several_go_by_is_undeterminable_without_its_code(heavy):
    """« Saint-Simon » is a municipality, and what Saint-Simon-de-Rimouski was called."""
    place = geography()
    assert place.namesakes("54090") == {"54090", "11055"}
    assert "54090" not in {c for c, name in place.name.items() if name in place.homonyms}
    rows = heavy[1].rows
    shared = rows[rows["residence_code"].map(lambda c: c in place.name and len(place.namesakes(c)) > 1)]
    assert {"homonym", "homonym_postal"} & set(shared["residence_form"])


def test_a_postal_code_tells_only_those_apart_whose_regions_differ():
    place = geography()
    lambert = place.namesakes("58012")  # Saint-Lambert: Montérégie, Abitibi-Témiscamingue
    assert lambert == {"58012", "87120"}
    assert place.told_by_postal_code("58012", lambert, "J4P 1A1")
    assert not place.told_by_postal_code("87120", lambert, "J4P 1A1")  # the other one's
    assert not place.told_by_postal_code("58012", lambert, "")
    assert not place.told_by_postal_code("58012", lambert, "G1A 1A1")  # of none of them


def test_the_rows_of_an_undated_resend_are_superseded(heavy):
    """A deposit without a date counts as deposited at the end of its quarter: the dated first version stays."""
    rows = heavy[1].rows
    undated = rows[~rows["file"].str.contains(r"\d{4}-\d\d-\d\d\.|zz_copies")]
    lost = undated[undated["fate"] == "superseded"]
    assert len(lost)
    assert (lost["superseded_by"].str.rsplit("_", n=1).str[0] == lost["file"].str.rsplit(".", n=1).str[0]).all()


def test_a_reopened_file_has_a_new_number_of_the_same_person(heavy):
    ids = heavy[1].identities
    again = ids[ids.duplicated(["organisation_id", "true_person"], keep=False)]
    assert len(again)
    assert not ids.duplicated(["organisation_id", "file_number"]).any()
    assert pd.Series(again["true_person"]).nunique() < len(again)
