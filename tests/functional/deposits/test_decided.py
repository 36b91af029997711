"""
What docs/deposit-schema.md decides (« Decided, so that nobody has to guess »): one test a sentence, named after it.

Left to others: « What a row attests » (tests/spec), and the exit status of `build` (tests/functional/test_cli.py).
"""

import datetime as dt

import pandas as pd
import pytest
from corpus import HEADER, NAME, ROWS, put, text, workbook
from odd_files import PLAIN, UNREADABLE, H, R

from trajectories import read_deposits
from trajectories.linkage import SAMPLE_KEY, link_persons
from trajectories.stays.observations import build_observations

DAY = "2021-11-02"
EARLY, LATE = "EER01_2021-2022_T3_2022-01-20.csv", "EER01_2021-2022_T3_2022-02-20.csv"
UNDATED, ANNUAL = "EER01_2021-2022_T3.csv", "EER01_2021-2022_annuel_2022-01-01.xlsx"
PLACED = ("no_dossier", "ville", "code_municipal", "code_postal", "municipalite_destination", "date_service")


def read(folder, *rows, header=HEADER, name=EARLY):
    """Read one deposit typed with these columns; a row may stop where its other cells are blank."""
    put(folder, text([(*row, *[""] * (len(header) - len(row))) for row in rows], header), name)
    return read_deposits(folder)


def located(folder, *rows):
    """Residences and destinations read, from rows of (municipality, its code, its postal code, destination)."""
    numbered = [(str(at), *row, *[""] * (4 - len(row)), DAY) for at, row in enumerate(rows, start=1)]
    deposits = read(folder, *numbered, header=PLACED)
    return deposits, deposits.records["residence_code"].tolist(), deposits.records["destination_code"].tolist()


def dated(folder, *cells, column="date_service"):
    """First and last days read in a column of dates, as text; None where there is none."""
    rows = [(str(at), "Laval", cell) for at, cell in enumerate(cells)]
    records = read(folder, *rows, header=("no_dossier", "ville", column)).records
    name = {"date_service": "service_date", "date_naissance": "birth_date"}[column]
    days = [records[f"{name}_{end}"].dt.strftime("%Y-%m-%d") for end in ("earliest", "latest")]
    return [tuple(None if pd.isna(day) else day for day in pair) for pair in zip(*days, strict=True)]


def issues(deposits, *columns):
    """The issues of rows, as tuples of these columns."""
    return list(deposits.issues.loc[deposits.issues["row"] > 0, list(columns)].itertuples(index=False, name=None))


def reasons(deposits):
    """(row, reason) of each quarantined row."""
    return list(zip(deposits.quarantine["row"], deposits.quarantine["reason"], strict=True))


def statuses(deposits):
    return dict(zip(deposits.files["file"], deposits.files["status"], strict=True))


def serial(day: str, zero: dt.date = dt.date(1899, 12, 30)) -> int:
    return (dt.date.fromisoformat(day) - zero).days


# ── Addresses ─────────────────────────────────────────────────────────────────────────────────────────────


def test_file_is_the_path_below_the_raw_folder_with_slashes(tmp_path):
    assert set(read(tmp_path, *ROWS, name=f"2021/Mauricie/{NAME}.csv").records["file"]) == {f"2021/Mauricie/{NAME}.csv"}


def test_sheet_is_the_sheets_name_empty_for_text_and_parquet(tmp_path):
    put(tmp_path, workbook({"Saisie T3": [H, *R]}), "A_2021-2022_T3.xlsx")
    pd.DataFrame(list(R), columns=list(H)).to_parquet(tmp_path / "B_2021-2022_T3.parquet")
    records = read(tmp_path, *R, header=H, name="C_2021-2022_T3.csv").records
    assert records["sheet"].tolist() == ["Saisie T3"] * 3 + [""] * 6


def test_row_counts_titles_header_and_blank_rows_but_no_line_break_inside_quotes(tmp_path):
    broken = (*ROWS[0][:-1], '"à rappeler;\nau printemps"')
    put(tmp_path, "Reddition de comptes\n\n" + text([broken, ("",) * len(HEADER), *ROWS[1:]]))
    assert read_deposits(tmp_path).records["row"].tolist() == [4, 6, 7]


def test_blank_rows_are_not_read(tmp_path):
    files = read(tmp_path, ROWS[0], (), (" ", "\xa0"), ROWS[1]).files
    assert files[["n_read", "n_accepted"]].values.tolist() == [[2, 2]]


def test_a_total_row_is_read_and_quarantined(tmp_path):
    deposits = read(tmp_path, *ROWS, ("TOTAL", "3"))
    assert reasons(deposits) == [(5, "total_row")]
    assert deposits.files["n_read"].tolist() == [4]


# ── What quarantines a row ────────────────────────────────────────────────────────────────────────────────


def test_no_identity_is_neither_names_nor_a_file_number(tmp_path):
    header = ("no_dossier", "prenom", "nom", "no_menage", "date_naissance", "ville", "date_service")
    rest = ("12", "1990-05-17", "Laval", DAY)
    rows = [("", "", "", *rest), ("7", "", "", *rest), ("", "Zoé", "", *rest), ("", "", "Côté", *rest)]
    assert reasons(read(tmp_path, *rows, header=header)) == [(2, "no_identity")]


def test_neither_a_usable_date_nor_a_usable_place(tmp_path):
    header = ("no_dossier", "date_naissance", "ville", "date_service")
    rows = [("1", "1990-05-17", "xyzzy", "bientôt"), ("2", "1990-05-17"), ("3", "", "Montérégie"), ("4", "", "", DAY)]
    assert reasons(read(tmp_path, *rows, header=header)) == [(2, "no_date_no_place"), (3, "no_date_no_place")]


def test_cells_shifted_beyond_repair(tmp_path):
    put(tmp_path, text([ROWS[0], (*ROWS[1][:4], "en trop", *ROWS[1][4:]), ROWS[2]]))
    assert reasons(read_deposits(tmp_path)) == [(3, "ragged")]


def test_everything_else_is_accepted(tmp_path):
    odd = ("EER01", "7", "?", "…", "hier", "nulle part", "???", DAY, "ailleurs", "jamais", "")
    deposits = read(tmp_path, odd, ("EER01", "8", *[""] * 3, "Laval"))
    assert len(deposits.records) == 2
    assert deposits.quarantine.empty


def test_facts_in_an_impossible_order_are_accepted_and_listed_by_rule(tmp_path):
    header = ("no_dossier", "ville", "date_arrivee_quebec", "date_service", "date_depart_montreal",
              "date_etablissement", "municipalite_destination")  # fmt: skip
    row = ("1", "Laval", "2021-12-01", "2021-11-01", "2021-12-20", "2021-12-10", "Rimouski")
    deposits = read(tmp_path, row, header=header)
    assert set(issues(deposits, "row", "reason")) == {
        (2, "service_before_arrival"), (2, "establishment_before_departure")
    }  # fmt: skip
    facts = ["arrival_date_earliest", "service_date_earliest", "departure_date_earliest", "establishment_date_earliest"]
    assert deposits.records[facts].notna().all(axis=None)


@pytest.mark.parametrize(
    ("column", "typed", "canonical", "reason"),
    [
        ("taille_menage", "0", "household_size", "impossible_value"),
        ("taille_menage", "-3", "household_size", "impossible_value"),
        ("taille_menage", "−3", "household_size", "impossible_value"),
        ("date_naissance", "2031-05-05", "birth_date", "birth_in_future"),
    ],
)
def test_impossible_values_are_unreadable_cells(tmp_path, column, typed, canonical, reason):
    header = ("no_dossier", "ville", "date_service", column)
    deposits = read(tmp_path, ("1", "Laval", DAY, typed), header=header)
    assert issues(deposits, "row", "column", "reason") == [(2, canonical, reason)]
    read_into = [name for name in deposits.records if name.startswith(canonical)]
    assert deposits.records[read_into].isna().all(axis=None)
    assert deposits.records["residence_code"].tolist() == ["65005"]


def test_a_row_whose_only_date_cannot_be_read_is_accepted_without_an_observation(tmp_path):
    rows = [
        ("EER01", number, "", "", "", "Rimouski", "Accueil", day) for number, day in (("7", "30/02/2022"), ("8", DAY))
    ]
    deposits = read(tmp_path, *rows)
    assert issues(deposits, "row", "column", "reason") == [(2, "service_date", "unreadable_date")]
    assert deposits.records["file_number"].tolist() == ["7", "8"]
    persons = link_persons(deposits.records, key=SAMPLE_KEY)
    observed = build_observations(deposits.records, persons, pd.Timestamp("2022-12-31"))
    assert observed["record_id"].tolist() == [deposits.records.loc[1, "record_id"]]


# ── Files ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("title", ["empty", "binary", "encrypted", "no header", "a workbook of notes"])
def test_empty_binary_encrypted_or_without_a_header_is_unreadable(tmp_path, title):
    content, suffix, said = UNREADABLE[title]
    put(tmp_path, content, NAME + suffix)
    files = read_deposits(tmp_path).files
    assert files["status"].tolist() == ["unreadable"]
    assert said in files.loc[0, "message"]


def test_header_only_is_read_with_0_rows(tmp_path):
    assert read(tmp_path).files[["status", "n_read"]].values.tolist() == [["read", 0]]


@pytest.mark.parametrize(
    "content",
    [text().encode("utf-16"), text(separator="|"), text(line="\r"), text(separator="|", line="\r").encode("utf-16")],
    ids=["UTF-16", "bars", "CR only", "all three"],
)
def test_utf16_bars_and_cr_only_text_are_read(tmp_path, content):
    put(tmp_path, content, f"{NAME}.txt")
    assert read_deposits(tmp_path).records["residence_code"].tolist() == ["66023", "10043", "65005"]


def test_html_saved_as_xls_is_one_clear_line(tmp_path):
    cells = "".join(f"<td>{cell}</td>" for cell in HEADER)
    put(tmp_path, f"<html>\n<body><table><tr>{cells}</tr></table></body></html>", f"{NAME}.xls")
    deposits = read_deposits(tmp_path)
    assert statuses(deposits) == {f"{NAME}.xls": "unreadable"}
    assert "web page" in deposits.files.loc[0, "message"]
    assert "\n" not in deposits.files.loc[0, "message"]
    assert deposits.issues.empty


def test_symbolic_links_are_not_followed(tmp_path):
    elsewhere = tmp_path / "ailleurs"
    put(elsewhere, text(), f"{NAME}.csv")
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "dossier").symlink_to(elsewhere, target_is_directory=True)
    (tmp_path / "raw" / "EER02_2021-2022_T3.csv").symlink_to(elsewhere / f"{NAME}.csv")
    assert read_deposits(tmp_path / "raw").files.empty


# ── Supersession ──────────────────────────────────────────────────────────────────────────────────────────


def test_supersession_is_per_organisation_and_quarter(tmp_path):
    names = [EARLY, "EER02_2021-2022_T3_2022-01-20.csv", "EER01_2021-2022_T2_2022-01-20.csv",
             "EER01_2020-2021_T3_2022-01-20.csv"]  # fmt: skip
    for name in names:
        put(tmp_path, PLAIN, name)
    deposits = read(tmp_path, *R, header=H, name=LATE)
    assert statuses(deposits) == dict.fromkeys([*names, LATE], "read") | {EARLY: "superseded"}


def test_supersession_also_inside_an_annual_workbook(tmp_path):
    put(tmp_path, workbook({f"T{n}": [HEADER, row] for n, row in enumerate(ROWS, start=1)}), ANNUAL)
    deposits = read(tmp_path, *ROWS, name=LATE)
    assert deposits.superseded["sheet"].tolist() == ["T3"]
    assert deposits.records.loc[deposits.records["file"] == ANNUAL, "quarter"].tolist() == [1, 2]


@pytest.mark.parametrize(("sheets", "status"), [(["T2", "T3"], "read"), (["T3"], "superseded")])
def test_a_file_is_superseded_only_if_all_its_rows_are(tmp_path, sheets, status):
    put(tmp_path, workbook({name: [HEADER, ROWS[0]] for name in sheets}), ANNUAL)
    assert statuses(read(tmp_path, *ROWS, name=LATE))[ANNUAL] == status


def test_superseded_rows_have_the_keys_of_quarantine_and_the_file_that_replaced_them(tmp_path):
    put(tmp_path, text([*ROWS[:2], ("Total", "2", *[""] * 9)]), EARLY)
    deposits = read(tmp_path, *ROWS, name=LATE)
    assert list(deposits.superseded.columns) == ["file", "sheet", "row", "superseded_by"]
    assert set(deposits.superseded.columns[:3]) <= set(deposits.quarantine.columns)
    # a row is in the first class that fits: the total was superseded too
    assert deposits.superseded.values.tolist() == [[EARLY, "", row, LATE] for row in (2, 3, 4)]
    assert deposits.quarantine.empty


@pytest.mark.parametrize(
    ("other", "replaced", "kept"), [("2021-12-15", "other", "2021-12-31"), ("2022-01-20", UNDATED, "2022-01-20")]
)
def test_a_deposit_without_a_date_counts_as_deposited_at_the_end_of_its_quarter(tmp_path, other, replaced, kept):
    name = f"EER01_2021-2022_T3_{other}.csv"
    put(tmp_path, text(ROWS[:2]), UNDATED)
    deposits = read(tmp_path, *ROWS, name=name)
    assert set(deposits.superseded["file"]) == {name if replaced == "other" else replaced}
    assert set(deposits.records["deposit_date"]) == {pd.Timestamp(kept)}


def test_an_undated_resend_loses_and_is_warned_of(tmp_path):
    put(tmp_path, text(), EARLY)
    deposits = read(tmp_path, *ROWS[:2], name=UNDATED)
    assert statuses(deposits) == {EARLY: "read", UNDATED: "superseded"}
    assert deposits.issues[["file", "row", "reason"]].values.tolist() == [[UNDATED, 0, "undated_deposit"]]


def test_identical_content_on_the_same_date_is_a_duplicate(tmp_path):
    put(tmp_path, text(), f"a/{EARLY}")
    deposits = read(tmp_path, *ROWS, name=f"b/{EARLY}")
    assert statuses(deposits) == {f"a/{EARLY}": "read", f"b/{EARLY}": "duplicate"}
    assert deposits.files["n_duplicate"].tolist() == [0, 3]
    assert deposits.superseded.empty


def test_other_content_on_the_same_date_the_last_by_path_wins_and_issues_says_so(tmp_path):
    put(tmp_path, text(), f"b/{EARLY}")
    deposits = read(tmp_path, *ROWS[:2], name=f"a/{EARLY}")
    assert statuses(deposits) == {f"a/{EARLY}": "superseded", f"b/{EARLY}": "read"}
    assert deposits.issues[["file", "reason"]].values.tolist() == [[f"b/{EARLY}", "same_deposit_date"]]


# ── Exact duplicate ───────────────────────────────────────────────────────────────────────────────────────


def test_an_exact_duplicate_has_all_cells_identical_after_fill_down_and_the_first_stays(tmp_path):
    other = (*ROWS[0][:-1], "autre remarque")
    deposits = read(tmp_path, ROWS[0], ("", *ROWS[0][1:]), other, ROWS[0])
    assert deposits.records["row"].tolist() == [2, 4]
    assert deposits.files["n_duplicate"].tolist() == [2]


def test_an_exact_duplicate_is_of_the_same_sheet(tmp_path):
    put(tmp_path, workbook({"Accueil": [HEADER, ROWS[0]], "Jumelage": [HEADER, ROWS[0]]}), f"{NAME}.xlsx")
    assert read_deposits(tmp_path).records["sheet"].tolist() == ["Accueil", "Jumelage"]


# ── Organisation ──────────────────────────────────────────────────────────────────────────────────────────

NAMED = ("nom_organisme", "no_dossier", "ville", "date_service")


def test_an_organisation_known_by_name_only_has_an_id_from_its_normalised_name_and_is_flagged(tmp_path):
    typed = ["Accueil de l'Érable", "ACCUEIL DE L’ERABLE", "  accueil de l'érable "]
    rows = [(name, str(at), "Laval", DAY) for at, name in enumerate(typed)]
    deposits = read(tmp_path, *rows, header=NAMED, name="rapport.csv")
    assert deposits.records["organisation_id"].unique().tolist() == ["accueil-de-l-erable"]
    assert issues(deposits, "row", "reason") == [(row, "organisation_by_name") for row in (2, 3, 4)]


def test_the_zone_of_an_organisation_is_from_the_registry(tmp_path):
    put(tmp_path, "code;nom;municipalite\nEER01;Accueil;Rimouski\n", "organismes.csv")
    deposits = read(tmp_path, *ROWS)  # two residences of three lie in the metropole
    assert set(deposits.records["organisation_zone"]) == {"region"}
    assert statuses(deposits) == {EARLY: "read"}  # the registry is no deposit


def test_without_a_registry_the_zone_is_where_most_of_its_residences_lie(tmp_path):
    put(tmp_path, text([R[1]], H), "EER02_2021-2022_T3.csv")
    zones = read(tmp_path, *ROWS).records.groupby("organisation_id")["organisation_zone"].unique()
    assert zones.map(list).to_dict() == {"EER01": ["metropole"], "EER02": ["region"]}


# ── Places ────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_codes_belong_to_the_residence(tmp_path):
    _, residences, destinations = located(
        tmp_path, ("Saint-Isidore", "26063", "", "Saint-Lambert"), ("Saint-Lambert", "", "J4P 2J7", "Saint-Isidore"),
        ("", "58012", "", "Saint-Lambert"),
    )  # fmt: skip
    assert residences[:2] == ["26063", "58012"]
    assert destinations == [None, None, None]


def test_the_codes_are_a_destinations_only_when_it_is_typed_with_the_same_text(tmp_path):
    _, _, destinations = located(
        tmp_path, ("Saint-Isidore", "26063", "", "Saint-Isidore"), ("Saint-Lambert", "", "J4P 2J7", "Saint-Lambert")
    )
    assert destinations == ["26063", "58012"]


def test_code_against_name_the_name_wins_and_an_issue_says_so(tmp_path):
    deposits, residences, _ = located(tmp_path, ("Rimouski", "66023"))
    assert residences == ["10043"]
    assert issues(deposits, "row", "reason", "column") == [(2, "code_against_name", "residence_code_typed")]


def test_code_against_name_the_name_wins_unless_it_is_ambiguous(tmp_path):
    deposits, residences, _ = located(tmp_path, ("Saint-Isidore", "26063"), ("Saint-Isidore", "67040"))
    assert residences == ["26063", "67040"]
    assert issues(deposits, "reason") == []


def test_a_regional_word_with_a_valid_code_the_code_decides(tmp_path):
    _, residences, _ = located(tmp_path, ("Montérégie", "58012"), ("Bas-Saint-Laurent", "10043"), ("Montérégie", "12"))
    assert residences == ["58012", "10043", None]


def test_a_homonym_is_settled_by_its_own_code_postal_code_or_qualifier(tmp_path):
    _, residences, _ = located(
        tmp_path, ("Saint-Isidore", "26063"), ("Saint-Isidore", "", "G0S 2S0"), ("Saint-Isidore (Roussillon)",),
        ("Saint-Isidore (Chaudière-Appalaches)",), ("Saint-Lambert", "", "J4P 2J7"),
    )  # fmt: skip
    assert residences == ["26063", "26063", "67040", "26063", "58012"]


def test_a_homonym_is_never_settled_by_the_organisations_region(tmp_path):
    put(tmp_path, "code;nom;municipalite\nEER01;Accueil de Beauce;Saint-Georges\n", "organismes.csv")
    deposits, residences, _ = located(tmp_path, ("Saint-Georges",), ("Sainte-Marie",), ("Saint-Isidore",))
    assert residences[2] is None
    assert (4, "place_ambiguous") in issues(deposits, "row", "reason")


def test_quebec_laval_montreal_and_saguenay_in_a_municipality_column_are_the_town(tmp_path):
    towns = [("Québec", "", "", "Québec"), ("Laval", "", "", "Laval"), ("MONTREAL", "", "", "Montréal"),
             ("saguenay", "", "", "Saguenay")]  # fmt: skip
    deposits, residences, destinations = located(tmp_path, *towns)
    assert residences == destinations == ["23027", "65005", "66023", "94068"]
    assert set(issues(deposits, "reason")) == {("destination_without_date",)}


# ── Dates ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_bare_integer_from_1900_to_2100_is_a_year(tmp_path):
    days = dated(tmp_path, "1900", "1987", "2021", "2100")
    assert days == [(f"{year}-01-01", f"{year}-12-31") for year in (1900, 1987, 2021, 2100)]


def test_other_integers_in_the_serial_range_are_excel_serials(tmp_path):
    days = ["1999-12-31", DAY, "2022-02-28"]
    assert dated(tmp_path, *[str(serial(day)) for day in days]) == [(day, day) for day in days]


@pytest.mark.parametrize(("date_1904", "day"), [(True, DAY), (False, "2017-11-01")])
def test_1904_serials_only_in_workbooks_that_declare_it(tmp_path, date_1904, day):
    typed = [serial(DAY, dt.date(1904, 1, 1)), 2021]  # a year stays a year
    rows = [(*row[:7], number, *row[8:]) for row, number in zip(ROWS, typed, strict=False)]
    put(tmp_path, workbook({"A": [HEADER, *rows]}, date_1904=date_1904), f"{NAME}.xlsx")
    expected = [pd.Timestamp(day), pd.Timestamp("2021-01-01")]
    assert read_deposits(tmp_path).records["service_date_earliest"].tolist() == expected


def test_two_digit_years_are_of_the_latest_century_not_in_the_future(tmp_path):
    days = dated(tmp_path, "17/05/90", "17/05/21", "17/05/22", "17-05-30", column="date_naissance")
    assert [day[:4] for day, _ in days] == ["1990", "2021", "1922", "1930"]  # deposited in January 2022


def test_t2_2021_2022_is_the_fiscal_quarter(tmp_path):
    assert dated(tmp_path, "T2 2021-2022", "T4 2021-2022") == [
        ("2021-07-01", "2021-09-30"), ("2022-01-01", "2022-03-31")
    ]  # fmt: skip


# ── Never stored after reading ────────────────────────────────────────────────────────────────────────────


def test_remarks_are_not_in_records(tmp_path):
    records = read(tmp_path, ("EER01", "7", "Zoé", "Côté", "", "Laval", "", DAY, "", "", "née à Lévis")).records
    assert not {"remarks", "remarques"} & set(records.columns)
    assert "Lévis" not in records.to_csv()


def test_no_name_birth_date_file_number_or_remark_in_quarantine_and_issues(tmp_path):
    private = ("EER01", "SECRET-9", "Prénomsecret", "Nomsecret", "32/13/1990", "xyzzy", "???x", DAY, "", "", "Secrète")
    future = ("EER01", "SECRET-8", "Prénomsecret", "Nomsecret", "1990/05/2039", "Laval", "", DAY, "", "", "Secrète")
    nobody = ("EER01", *[""] * 6, DAY, "", "", "Secrète")
    nowhere = ("EER01", "SECRET-7", "Prénomsecret", "Nomsecret", "2031-05-05", "xyzzy", "", "", "", "", "Secrète")
    shifted = ("EER01", "SECRET-6", "Prénomsecret", "Nomsecret", "", "Laval", "", DAY, "", "", "Secrète", "de trop")
    put(tmp_path, text([private, future, nobody, nowhere, shifted, ("Total", "SECRET 4", *[""] * 9)]))
    deposits = read_deposits(tmp_path)
    assert deposits.files[["n_accepted", "n_quarantined"]].values.tolist() == [[2, 4]]
    assert "???x" in set(deposits.issues["value"])  # what names nobody is kept
    for table in (deposits.quarantine, deposits.issues):
        values = table["value"].dropna().str.casefold()
        assert not values.str.contains("secr|32/13|2039|2031|de trop").any()


def test_a_symbolic_link_to_a_registry_is_not_followed(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    raw = tmp_path / "raw"
    elsewhere.mkdir(), raw.mkdir()
    put(elsewhere, "code;nom;municipalite\nEER01;Accueil;Rimouski\n", "organismes.csv")
    (raw / "organismes.csv").symlink_to(elsewhere / "organismes.csv")
    deposits = read(raw, ("1", "Montréal", DAY), header=("no_dossier", "ville", "date_service"))
    assert deposits.records["organisation_zone"].tolist() == ["metropole"]
