"""What organisations know, one event a row of a deposit to be, before anybody types it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Event:
    """One row in the making: everything true, dates as day numbers, places as municipality codes.

    `opening` counts the files that an organisation opened for the person (1, 2 …); `day` is when the
    organisation writes the row, which decides the quarter; `precision` is how well the organisation knows the date
    of departure (day, month, quarter, year).
    """

    organisation: int
    household: int
    person: int
    opening: int
    kind: str  # service, establishment, follow_up, departure
    day: int
    residence: str
    service: str = ""
    service_date: int | None = None
    departure_date: int | None = None
    establishment_date: int | None = None
    destination: str = ""
    establishment_reason: str = ""
    needs: str = ""
    job: bool | None = None
    job_date: int | None = None
    housing: bool | None = None
    housing_date: int | None = None
    follow_up_date: int | None = None
    status: str = ""
    exit_date: int | None = None
    exit_destination: str = ""  # a municipality code, or words
    exit_reason: str = ""
    remarks: str = ""
    precision: str = "day"
    size: int = 1
    late: bool = False
    note: str = field(default="")  # why the row is odd, where a defect of the facts made it
