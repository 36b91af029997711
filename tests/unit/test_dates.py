"""Typed dates: every form of the contract, as the interval it stands for."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trajectories.deposits import parse_dates
from trajectories.deposits.dates import DateTable, quarter_end

DAY, YEAR = ("2022-03-03", "2022-03-03"), ("2022-01-01", "2022-12-31")
MONTH = ("2022-03-01", "2022-03-31")
FORMS = {
    "2022-03-03": DAY,
    "2022/03/03": DAY,
    "2022-03-03 00:00:00": DAY,
    "2022-03-03T10:15:00": DAY,
    "20220303": DAY,
    "03/03/2022": DAY,
    "3-3-2022": DAY,
    "03.03.2022": DAY,
    "03/03/22": DAY,
    "3 mars 2022": DAY,
    "3\xa0mars 2022": DAY,
    "jeudi 3 mars 2022": DAY,
    "le 3 mars 2022": DAY,
    "3-mar-22": DAY,
    "March 3, 2022": DAY,
    "44623": DAY,
    "44623.0": DAY,
    "44623,5": DAY,
    "2022-03-03T10:15:00Z": DAY,
    "03/03/2022 à 14h00": DAY,
    "03 / 03 / 2022": DAY,
    "2022–03–03": DAY,
    "03∕03∕2022": DAY,
    "20220303.0": DAY,
    "lun. 3 mars 2022": DAY,
    "Thu, 03 Mar 2022": DAY,
    "3rd March 2022": DAY,
    "2022 mars 3": DAY,
    "vers le 3 mars 2022": DAY,
    "2022-03-03 (approx.)": DAY,
    "premier mars 2022": ("2022-03-01", "2022-03-01"),
    "1 er mars 2022": ("2022-03-01", "2022-03-01"),
    "1er mars 2022": ("2022-03-01", "2022-03-01"),
    "15 FÉVRIER 2022": ("2022-02-15", "2022-02-15"),
    "15 fe\u0301vrier 2022": ("2022-02-15", "2022-02-15"),
    "31 déc. 2021": ("2021-12-31", "2021-12-31"),
    "13/04/2022": ("2022-04-13", "2022-04-13"),
    "04/13/2022": ("2022-04-13", "2022-04-13"),
    "29/02/2020": ("2020-02-29", "2020-02-29"),
    "mars 2022": MONTH,
    "Mars-22": MONTH,
    "2022-03": MONTH,
    "03/2022": MONTH,
    "vers mars 2022": MONTH,
    "début mars 2022": MONTH,
    "(mars 2022)": MONTH,
    "mars 2022 ?": MONTH,
    "2022 mars": MONTH,
    "mar-22": MONTH,
    "03/2022.": MONTH,
    "xx/03/2022": MONTH,
    "??/03/2022": MONTH,
    "00/03/2022": MONTH,
    "2022-03-00": MONTH,
    "2022": YEAR,
    "2022.0": YEAR,
    "~2022": YEAR,
    "2022?": YEAR,
    "fin 2022": YEAR,
    "00/00/2022": YEAR,
    "2022-xx-xx": YEAR,
    "T2_2021-2022": ("2021-07-01", "2021-09-30"),
    "T2 (2021-2022)": ("2021-07-01", "2021-09-30"),
    "exercice 2021-2022": ("2021-04-01", "2022-03-31"),
    "T2 2021-2022": ("2021-07-01", "2021-09-30"),
    "2021-2022 T4": ("2022-01-01", "2022-03-31"),
    "2e trimestre 2021-2022": ("2021-07-01", "2021-09-30"),
    "trimestre 1, 2021-22": ("2021-04-01", "2021-06-30"),
    "2021-2022": ("2021-04-01", "2022-03-31"),
    "2021-22": ("2021-04-01", "2022-03-31"),
}
UNREADABLE = (
    "30/02/2022", "2022-02-30", "29/02/2021", "2022-13-01", "32/01/2022", "0202-03-03", "T2", "T2 2021", "2021-2023",
    "12", "99999", "bientôt", "mars", "3 marsouin 2022", "1900-01-00", "00/01/1900", "00/13/2022", "0000-00-00",
    "31/02", "printemps 2022",
)  # fmt: skip
MISSING = ("", "  ", "-", "n/d", "S.O.", "inconnue", "\xa0", None)


@pytest.mark.parametrize(("text", "interval"), FORMS.items())
def test_form(text, interval):
    row = parse_dates([text]).iloc[0]
    assert (str(row["earliest"].date()), str(row["latest"].date())) == interval


@pytest.mark.parametrize("text", UNREADABLE)
def test_impossible_dates_are_unreadable(text):
    row = parse_dates([text]).iloc[0]
    assert row["form"] == "unreadable"
    assert pd.isna(row["earliest"])
    assert pd.isna(row["latest"])


def test_what_means_nothing_is_missing():
    assert set(parse_dates(list(MISSING))["form"]) == {"missing"}


def test_order_of_day_and_month_is_the_callers_unless_the_cell_proves_one():
    texts = ["03/04/2022", "13/04/2022", "04/13/2022"]
    assert parse_dates(texts)["earliest"].dt.strftime("%d/%m").tolist() == ["03/04", "13/04", "13/04"]
    assert parse_dates(texts, day_first=False)["earliest"].dt.strftime("%d/%m").tolist() == ["04/03", "13/04", "13/04"]
    assert DateTable(texts).order.tolist() == [0, 1, -1]


def test_two_digit_years_take_the_latest_century_not_in_the_future():
    years = parse_dates(["01/02/22", "01/02/23", "01/02/85", "3 mars 70"], latest="2022-06-30")["earliest"].dt.year
    assert years.tolist() == [2022, 1923, 1985, 1970]


def test_quarters_of_a_fiscal_year():
    assert [str(quarter_end("2021-2022", q)) for q in (1, 2, 3, 4)] == [
        "2021-06-30", "2021-09-30", "2021-12-31", "2022-03-31",
    ]  # fmt: skip


def test_empty_input():
    assert parse_dates([]).empty


_NUMBERS = st.integers(0, 40).map(str)
_PIECES = st.one_of(
    st.sampled_from(
        ["T2", "mars", "2021-2022", "trimestre", "1er", "février", "/", "-", ".", " ", "22", "2022", "vers", ":"]
    ),
    _NUMBERS,
)


@given(st.one_of(st.text(), st.lists(_PIECES, max_size=7).map("".join), st.lists(_PIECES, max_size=6).map(" ".join)))
def test_any_text_gives_an_interval_or_nothing(text):
    for day_first in (True, False):
        row = parse_dates([text], day_first=day_first, latest="2022-06-30").iloc[0]
        assert pd.isna(row["earliest"]) == pd.isna(row["latest"])
        assert pd.isna(row["earliest"]) == (row["form"] in ("missing", "unreadable"))
        if pd.notna(row["earliest"]):
            assert row["earliest"] <= row["latest"]
            assert 1900 <= row["earliest"].year <= 2100
            assert (row["latest"] - row["earliest"]).days < 366


@given(st.dates(min_value=pd.Timestamp("1905-12-01").date(), max_value=pd.Timestamp("2099-12-31").date()))
def test_every_form_of_one_day_reads_the_same(day):
    serial = (pd.Timestamp(day) - pd.Timestamp("1899-12-30")).days
    forms = [f"{day:%Y-%m-%d}", f"{day:%d/%m/%Y}", f"{day.day}-{day.month}-{day.year}", f"{day:%Y%m%d}", str(serial)]
    assert set(parse_dates(forms)["earliest"]) == {pd.Timestamp(day)}
