"""Reads the ASCII tables of the spec tests: rows of deposits in, expected rows out.

A cell is text; a blank is missing. `date` columns take 2021-05-03, 2021-05 (the whole month), 2021Q2 (the whole
quarter of the calendar), 2021 (the whole year). An organisation whose code starts with M is of the metropole, any other
is of a region. A place is a municipality code, which may be followed by what was typed (`31015 Disraeli (Ville)`);
`area 05` names a region only, `called Disraeli` a name that several towns share; `outside` and `unknown` are what a
destination may be. `quarter` is the row's fiscal quarter (`2022-2023 T3`).
"""

import pandas as pd

from trajectories import places
from trajectories.tables import RECORDS, conform

DATES = (
    "service_date",
    "establishment_date",
    "departure_date",
    "follow_up_date",
    "exit_date",
    "arrival_date",
    "job_date",
    "birth_date",
)
SHORT = {
    "service": "service_date", "established": "establishment_date", "left_metropole": "departure_date",
    "follow_up": "follow_up_date", "status": "follow_up_status", "exit": "exit_date", "to": "exit_destination",
    "arrived": "arrival_date", "born": "birth_date", "org": "organisation_id", "what": "service_code",
}  # fmt: skip
MONTREAL, LAVAL, SHERBROOKE, MAGOG, QUEBEC, SOREL, LONGUEUIL = (
    "66023",
    "65005",
    "43027",
    "45072",
    "23027",
    "53052",
    "58227",
)


def parse(text):
    """The rows of an ASCII table, as dicts without the blank cells."""
    lines = [
        line.strip() for line in text.strip().splitlines() if line.strip() and not set(line.strip()) <= set("-|+ ")
    ]
    header = [cell.strip() for cell in lines[0].split("|")]
    rows = []
    for line in lines[1:]:
        cells = [cell.strip() for cell in line.split("|")]
        assert len(cells) == len(header), f"{len(cells)} cells for {len(header)} columns: {line}"
        rows.append({key: cell for key, cell in zip(header, cells, strict=True) if cell})
    return rows


def interval(cell):
    """The first and the last day that a date stands for."""
    period = pd.Period(cell, freq={4: "Y", 6: "Q", 7: "M", 10: "D"}[len(cell)])
    return period.start_time.normalize(), period.end_time.normalize()


def place(cell, perimeter):
    """code, region, zone, match of a place cell."""
    if cell.startswith("area "):
        region = cell.removeprefix("area ")
        zone = "unknown" if region in ("14", "15", "16") else "metropole" if region in ("06", "13") else "region"
        return None, region, zone, "area_only"
    if cell in ("outside", "unknown"):
        return None, None, {"outside": "outside_quebec", "unknown": "unknown"}[cell], "none"
    if cell.startswith("called "):
        return None, None, "region", "ambiguous"
    table = places.municipalities(perimeter)
    cell = cell.split(" ")[0]
    return cell, table.at[cell, "region"], table.at[cell, "zone"], "code"


def records_and_persons(text, perimeter="RMR-2021"):
    """The tables records and persons of an ASCII table whose column `person` says who each row is about."""
    rows = parse(text)
    found, persons = [], []
    for number, cells in enumerate(rows):
        row = {SHORT.get(key, key): value for key, value in cells.items()}
        record = {
            "record_id": f"r{number:03d}", "file": "spec.csv", "sheet": "", "row": number + 2,
            "organisation_id": row.get("organisation_id", "R1"),
            "organisation_zone": "metropole" if row.get("organisation_id", "R1").startswith("M") else "region",
            "follow_up_status": row.get("follow_up_status"), "exit_reason": row.get("exit_reason"),
            "service": row.get("service_code"),
        }  # fmt: skip
        for name in DATES:
            if name in row:
                record[f"{name}_earliest"], record[f"{name}_latest"] = interval(row[name])
        for name in ("residence", "destination", "exit_destination"):
            if name in row:
                code, region, zone, match = place(row[name], perimeter)
                record |= {
                    name: row[name].removeprefix("called ").lstrip("0123456789 ") or row[name], f"{name}_code": code, f"{name}_region": region, f"{name}_zone": zone,
                    f"{name}_match": match,
                }  # fmt: skip
        if "quarter" in row:
            record["fiscal_year"], record["quarter"] = row["quarter"][:9], int(row["quarter"][-1])
        if "filed" in row:
            record["deposit_date"] = pd.Timestamp(row["filed"])
        for name in ("sex", "french", "immigration_category"):
            record[name] = row.get(name)
        if "job_found" in row:
            record["job_found"] = row["job_found"] == "yes"
        found.append(record)
        person = row.get("person", "a")
        household = row.get("household", person.upper())
        persons.append(
            {"record_id": record["record_id"], "person_id": person, "household_id": household, "match_probability": 1.0}
        )
    return conform(pd.DataFrame(found), RECORDS), pd.DataFrame(persons)


def assert_table(frame, text):
    """The frame's rows are those of the ASCII table, in the columns that the table names."""
    expected = parse(text)
    columns = [c.strip() for c in text.strip().splitlines()[0].strip().split("|")]
    actual = []
    for row in frame[columns].to_dict("records"):
        cells = {}
        for key, value in row.items():
            if value is None or value is pd.NaT or (not isinstance(value, str) and pd.isna(value)):
                continue
            if isinstance(value, pd.Timestamp):
                cells[key] = value.strftime("%Y-%m-%d")
            elif isinstance(value, float):
                cells[key] = "inf" if value == float("inf") else f"{value:.2f}".rstrip("0").rstrip(".")
            else:
                cells[key] = str(value)
        actual.append(cells)
    assert actual == expected, "\n".join(["found:", *map(str, actual), "expected:", *map(str, expected)])
