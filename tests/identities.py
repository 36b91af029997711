"""Records for the tests of linkage, from short dicts."""

import pandas as pd

from trajectories import tables

ZOE = {"given": "Zoé", "family": "Nguyễn-Roy", "birth": "1990-05-01"}


def records(*rows):
    """org, file, given, family, birth (a day or a year), sex, menage, country, arrival, size, town, date, quarter."""
    found = []
    for number, row in enumerate(rows):
        birth = pd.Period(row["birth"]) if "birth" in row else None
        arrival = pd.Period(row["arrival"]) if "arrival" in row else None
        date = pd.Timestamp(row["date"]) if "date" in row else pd.NaT
        found.append({
            "record_id": f"r{number}", "file": "f.csv", "sheet": "", "row": number + 2, "organisation_id": row["org"],
            "organisation_zone": "metropole" if row["org"].startswith("M") else "region",
            "file_number": row.get("file"), "household_number": row.get("menage"), "given_name": row.get("given"),
            "family_name": row.get("family"), "sex": row.get("sex"), "birth_country": row.get("country"),
            "household_size": row.get("size"), "immigration_category": row.get("category"),
            "residence_code": row.get("town"), "residence_region": "03" if "town" in row else None,
            "residence_zone": "region" if "town" in row else None,
            "birth_date_earliest": birth and birth.start_time.normalize(),
            "birth_date_latest": birth and birth.end_time.normalize(),
            "arrival_date_earliest": arrival and arrival.start_time.normalize(),
            "arrival_date_latest": arrival and arrival.end_time.normalize(),
            "service_date_earliest": date, "service_date_latest": date,
            "fiscal_year": row["quarter"][0] if "quarter" in row else None,
            "quarter": row["quarter"][1] if "quarter" in row else None,
        })  # fmt: skip
    return tables.conform(pd.DataFrame(found), tables.RECORDS)
