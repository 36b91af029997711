"""Rows and cells: what is accepted, set aside, replaced or listed, and that nothing is lost."""

import corpus
import pytest

from trajectories.deposits import read_deposits
from trajectories.exceptions import TableError

COUNTS = ["n_read", "n_accepted", "n_quarantined", "n_superseded", "n_duplicate"]


def deposit(folder, header, *rows, name=f"{corpus.NAME}.csv"):
    """Read one deposit typed with these columns."""
    corpus.put(folder, corpus.text(rows, header), name)
    return read_deposits(folder)


def said(deposits):
    return set(deposits.issues["reason"])


# ── fates ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_exact_duplicates_keep_the_first(tmp_path):
    corpus.put(tmp_path, corpus.text([*corpus.ROWS, corpus.ROWS[0]]))
    deposits = read_deposits(tmp_path)
    assert deposits.records["row"].tolist() == [2, 3, 4]
    assert deposits.files[COUNTS].values.tolist() == [[4, 3, 0, 0, 1]]


def test_duplicates_are_seen_after_fill_down_and_in_unknown_columns(tmp_path):
    header = [*corpus.HEADER, "autre chose"]
    same, other = (*corpus.ROWS[0], "a"), (*corpus.ROWS[0], "b")
    corpus.put(tmp_path, corpus.text([same, ("", *same[1:]), other], header))
    assert read_deposits(tmp_path).records["row"].tolist() == [2, 4]


def test_the_later_deposit_replaces_the_whole_earlier_one(tmp_path):
    corpus.put(tmp_path, corpus.text(), "EER01_2021-2022_T3_2022-01-20.csv")
    corpus.put(tmp_path, corpus.text(corpus.ROWS[:1]), "EER01_2021-2022_T3_2022-02-20.csv")
    deposits = read_deposits(tmp_path)
    assert deposits.files[COUNTS].values.tolist() == [[3, 0, 0, 3, 0], [1, 1, 0, 0, 0]]
    assert deposits.files["status"].tolist() == ["superseded", "read"]
    assert set(deposits.superseded["superseded_by"]) == {"EER01_2021-2022_T3_2022-02-20.csv"}


def test_a_date_column_wins_over_the_name(tmp_path):
    header = [*corpus.HEADER, "Date de dépôt"]
    corpus.put(tmp_path, corpus.text([(*corpus.ROWS[0], "2022-03-01")], header), "EER01_2021-2022_T3_2022-01-01.csv")
    corpus.put(tmp_path, corpus.text(), "EER01_2021-2022_T3_2022-02-20.csv")
    assert set(read_deposits(tmp_path).superseded["file"]) == {"EER01_2021-2022_T3_2022-02-20.csv"}


def test_an_undated_resend_loses_and_a_warning_says_so(tmp_path):
    corpus.put(tmp_path, corpus.text(), "EER01_2021-2022_T3_2022-01-20.csv")
    corpus.put(tmp_path, corpus.text(corpus.ROWS[:1]), "EER01_2021-2022_T3.csv")
    deposits = read_deposits(tmp_path)
    assert set(deposits.superseded["file"]) == {"EER01_2021-2022_T3.csv"}
    assert "undated_deposit" in said(deposits)


def test_one_quarter_of_an_annual_workbook_is_replaced(tmp_path):
    sheets = {"T2": [corpus.HEADER, corpus.ROWS[1]], "T3": [corpus.HEADER, corpus.ROWS[0]]}
    corpus.put(tmp_path, corpus.workbook(sheets), "EER01_2021-2022_annuel_2022-01-01.xlsx")
    corpus.put(tmp_path, corpus.text(), "EER01_2021-2022_T3_2022-02-20.csv")
    deposits = read_deposits(tmp_path)
    assert deposits.superseded["sheet"].tolist() == ["T3"]
    assert deposits.files["status"].tolist() == ["read", "read"]


def test_same_content_on_the_same_day_is_a_duplicate_file(tmp_path):
    corpus.put(tmp_path, corpus.text(), f"a/{corpus.NAME}.csv")
    corpus.put(tmp_path, corpus.text(), f"b/{corpus.NAME}.csv")
    deposits = read_deposits(tmp_path)
    assert deposits.files["status"].tolist() == ["read", "duplicate"]
    assert deposits.files[COUNTS].values.tolist() == [[3, 3, 0, 0, 0], [3, 0, 0, 0, 3]]


def test_other_content_on_the_same_day_the_last_by_path_wins(tmp_path):
    corpus.put(tmp_path, corpus.text(), f"a/{corpus.NAME}.csv")
    corpus.put(tmp_path, corpus.text(corpus.ROWS[:1]), f"b/{corpus.NAME}.csv")
    deposits = read_deposits(tmp_path)
    assert deposits.files["status"].tolist() == ["superseded", "read"]
    assert "same_deposit_date" in said(deposits)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (("EER01", "", "", "", "1990-05-17", "Laval", "Accueil", "2021-11-02"), "no_identity"),
        (("EER01", "7", "Zoé", "Côté", "1990-05-17", "", "Accueil", ""), "no_date_no_place"),
        (("EER01", "7", "Zoé", "Côté", "1990-05-17", "", "Accueil", "bientôt", "", "", ""), "no_date_no_place"),
    ],
)
def test_quarantine(tmp_path, row, reason):
    deposits = deposit(tmp_path, corpus.HEADER, row)
    assert deposits.quarantine["reason"].tolist() == [reason]
    assert deposits.quarantine["value"].isna().all()


def test_a_row_whose_only_date_cannot_be_read_is_accepted(tmp_path):
    deposits = deposit(tmp_path, corpus.HEADER, ("EER01", "7", "", "", "", "Laval", "Accueil", "30/02/2022"))
    assert len(deposits.records) == 1
    line = deposits.issues.iloc[0]
    assert line[["row", "reason", "column", "value"]].tolist() == [2, "unreadable_date", "service_date", "30/02/2022"]


# ── cells ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_order_of_day_and_month_is_decided_per_file(tmp_path):
    header = ("no_dossier", "date_service", "ville")
    corpus.put(
        tmp_path,
        corpus.text([("1", "03/04/2022", "Laval"), ("2", "04/25/2022", "Laval")], header),
        "A_2021-2022_T1.csv",
    )
    corpus.put(
        tmp_path,
        corpus.text([("1", "03/04/2022", "Laval"), ("2", "25/04/2022", "Laval")], header),
        "B_2021-2022_T1.csv",
    )
    deposits = read_deposits(tmp_path)
    assert deposits.records["service_date_earliest"].dt.strftime("%m-%d").tolist() == [
        "03-04",
        "04-25",
        "04-03",
        "04-25",
    ]
    assert deposits.files["date_order"].tolist() == ["month_first", "day_first"]


def test_a_cell_that_contradicts_its_file_is_read_and_flagged(tmp_path):
    days = ["13/04/2021", "14/04/2021", "04/25/2021"]
    deposits = deposit(
        tmp_path, ("no_dossier", "date_service", "ville"), *[(str(i), d, "Laval") for i, d in enumerate(days)]
    )
    assert deposits.records["service_date_earliest"].dt.day.tolist() == [13, 14, 25]
    assert deposits.issues[["row", "reason"]].values.tolist() == [[4, "date_order"]]


def test_a_birth_in_the_future_of_the_deposit_is_unreadable_and_not_shown(tmp_path):
    deposits = deposit(
        tmp_path, ("no_dossier", "ddn", "date_service", "ville"), ("1", "2031-05-05", "2021-11-02", "Laval")
    )
    assert deposits.records["birth_date_earliest"].isna().all()
    assert deposits.issues[["reason", "column", "value"]].values.tolist() == [["birth_in_future", "birth_date", None]]


def test_two_digit_years_look_at_the_deposit_not_at_the_clock(tmp_path):
    deposits = deposit(tmp_path, ("no_dossier", "ddn", "date_service", "ville"), ("1", "05/05/23", "02/11/21", "Laval"))
    assert deposits.records["birth_date_earliest"].dt.year.tolist() == [1923]
    assert deposits.records["service_date_earliest"].dt.year.tolist() == [2021]


def test_impossible_and_unknown_values_become_missing_and_are_listed(tmp_path):
    header = ("no_dossier", "taille du ménage", "scolarité", "date_service", "ville")
    deposits = deposit(tmp_path, header, ("1", "0", "Équivalence en cours", "2021-11-02", "Laval"))
    assert deposits.records[["household_size", "education"]].isna().all(axis=None)
    assert deposits.issues[["reason", "value"]].values.tolist() == [
        ["unknown_value", "Équivalence en cours"], ["impossible_value", "0"],
    ]  # fmt: skip


def test_code_against_name(tmp_path):
    header = ("no_dossier", "ville", "code_municipal", "date_service")
    deposits = deposit(tmp_path, header, ("1", "Rimouski", "66023", "2021-11-02"),
                       ("2", "Montérégie", "58012", "2021-11-02"),
                       ("3", "Laval", "12", "2021-11-02"), ("4", "", "1023", "2021-11-02"))  # fmt: skip
    assert deposits.records["residence_code"].tolist() == ["10043", "58012", "65005", "01023"]
    assert deposits.issues[["row", "reason"]].values.tolist() == [[2, "code_against_name"], [4, "unreadable_code"]]


def test_the_code_is_a_destinations_only_where_the_same_words_are_typed(tmp_path):
    header = ("no_dossier", "ville", "code_municipal", "municipalite_destination", "date_etablissement")
    deposits = deposit(tmp_path, header, ("1", "Saint-Isidore", "26063", "Saint-Isidore", "2021-11-02"),
                       ("2", "Lévis", "26063", "Saint-Isidore", "2021-11-02"))  # fmt: skip
    assert deposits.records["destination_code"].tolist() == ["26063", None]
    assert deposits.records["destination_match"].tolist() == ["code", "ambiguous"]


def test_destinations_of_departures(tmp_path):
    header = ("no_dossier", "ville", "date_depart_region", "destination_depart", "motif_depart")
    places = ["Montréal", "hors Québec", "Ontario", "France", "inconnu", ""]
    deposits = deposit(
        tmp_path, header, *[(str(i), "Rimouski", "2021-11-02", p, "emploi") for i, p in enumerate(places)]
    )
    assert deposits.records["exit_destination_zone"].tolist() == [
        "metropole", "outside_quebec", "outside_quebec", "outside_quebec", "unknown", None,
    ]  # fmt: skip
    assert deposits.issues.empty


def test_facts_out_of_order_are_accepted_and_named(tmp_path):
    header = ("no_dossier", "ville", "date_arrivee_quebec", "date_service", "date_depart_montreal",
              "date_etablissement",
              "municipalite_destination", "date_depart_region")  # fmt: skip
    deposits = deposit(
        tmp_path,
        header,
        ("1", "Laval", "2021-12-01", "2021-11-01", "2021-12-20", "2021-12-10", "Brossard", "2021-12-05"),
    )
    assert len(deposits.records) == 1
    assert said(deposits) == {
        "service_before_arrival", "establishment_before_departure", "exit_before_establishment",
        "establishment_in_metropole",
    }  # fmt: skip


# ── organisations ─────────────────────────────────────────────────────────────────────────────────────────


def test_an_organisation_known_by_name_only_is_flagged(tmp_path):
    header = ("nom_organisme", "no_dossier", "ville", "date_service")
    deposits = deposit(tmp_path, header, ("Carrefour de l'Érable", "1", "Laval", "2021-11-02"), name="rapport.csv")
    assert deposits.records["organisation_id"].tolist() == ["carrefour-de-l-erable"]
    assert "organisation_by_name" in said(deposits)


def test_an_organisation_nobody_names_is_flagged(tmp_path):
    deposits = deposit(
        tmp_path, ("no_dossier", "ville", "date_service"), ("1", "Laval", "2021-11-02"), name="rapport.csv"
    )
    assert "organisation_unknown" in said(deposits)


def test_zone_of_the_organisation(tmp_path):
    corpus.put(tmp_path, corpus.text())
    assert set(read_deposits(tmp_path).records["organisation_zone"]) == {"metropole"}  # two residences of three
    corpus.put(tmp_path, "code;nom;municipalite\neer01;Accueil;Rimouski\n", "organismes.csv")
    records = read_deposits(tmp_path).records
    assert set(records["organisation_zone"]) == {"region"}
    assert set(records["organisation"]) == {"Accueil"}


# ── what is never stored, never lost ──────────────────────────────────────────────────────────────────────


def test_no_remark_and_no_private_value_leaves(tmp_path):
    private = (
        "EER01",
        "DOSSIER-9",
        "Prénomsecret",
        "Nomsecret",
        "32/13/1990",
        "Laval",
        "???x",
        "2021-11-02",
        "",
        "",
        "Remarquesecrète",
    )
    total = ("Total", "DOSSIER-9 1", *[""] * 9)
    deposits = deposit(
        tmp_path, corpus.HEADER, private, total, ("EER01", *[""] * 6, "2021-11-02", "", "", "Remarquesecrète")
    )
    assert "remarks" not in deposits.records
    for table in (deposits.quarantine, deposits.issues):
        assert not table.astype(str).apply(lambda c: c.str.contains("secr|DOSSIER|32/13")).any(axis=None)
    assert "Remarquesecrète" not in deposits.records.to_csv()


def test_record_ids_are_stable_and_of_the_address(tmp_path):
    (tmp_path / "x").mkdir()
    corpus.put(tmp_path / "x", corpus.text())
    first = read_deposits(tmp_path / "x").records["record_id"]
    assert first.str.fullmatch("[0-9a-f]{16}").all()
    assert first.is_unique
    corpus.put(tmp_path / "x", corpus.text(), "AAA_2019-2020_T1.csv")
    again = read_deposits(tmp_path / "x").records
    assert again.loc[again["file"] == f"{corpus.NAME}.csv", "record_id"].tolist() == first.tolist()


def test_a_lost_row_raises(tmp_path):
    corpus.put(tmp_path, corpus.text())
    deposits = read_deposits(tmp_path)
    object.__setattr__(deposits, "records", deposits.records.iloc[1:])
    with pytest.raises(TableError, match="n_accepted"):
        deposits.accounting()


def test_progress_is_told_per_file(tmp_path):
    corpus.put(tmp_path, corpus.text())
    told = []
    read_deposits(tmp_path, progress=lambda *now: told.append(now))
    assert told == [(1, 1, f"{corpus.NAME}.csv")]
