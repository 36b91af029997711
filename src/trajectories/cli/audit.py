"""One person's story: what was attested, what was made of it, and why.

For whoever must check a result, or answer a person who asks. It names files, rows, organisations, places and dates,
no name, birth date or file number; it is written into `sensitive/` and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pandas as pd

from ..exceptions import UnusableInputError
from ..linkage.comparisons import TRAITS
from ..pipeline import Tables
from ..places import municipalities
from ..study import Study

_ID = re.compile(r"P[0-9a-f]{16}")
_KIND = {
    "service": "service",
    "establishment": "établissement",
    "follow_up": "suivi",
    "departure": "départ",
    "residence": "adresse",
}
_ZONE = {"metropole": "métropole", "region": "en région", "outside_quebec": "hors Québec", "unknown": "inconnue"}
_RULE = {
    "old_address": "une ancienne adresse, répétée après un établissement, n'est pas un retour",
    "possible_return": "une ancienne adresse de la métropole, longtemps après : un retour, ou non (question ouverte)",
    "possible_visit": "un service en personne dans la métropole, peu après : visite ou retour (question ouverte)",
    "departure_before_presence": "un départ daté d'avant une présence : la présence l'emporte",
    "departure_already_known": "un départ annoncé d'une personne que l'on sait déjà ailleurs",
    "establishment_dates": "deux dates pour un même établissement",
    "presence_before_establishment": "une présence sur place avant la date d'établissement",
}
_REASON = {
    "same_household": "deux membres d'un même ménage dans un même organisme",
    "same_organisation": "deux dossiers d'un même organisme",
    "birth_dates_apart": "dates de naissance inconciliables",
    "decided_different": "décision de révision",
}


def person_story(person_id: str, tables: Tables) -> str:
    """
    The story of one person, as text in French.

    Parameters
    ----------
    person_id : str
        An id of the table `persons` (P and 16 hexadecimal digits).
    tables : Tables
        All tables of a build.

    Raises
    ------
    UnusableInputError
        No such person in this build.
    """
    if not _ID.fullmatch(person_id):
        raise UnusableInputError(f"{person_id!r} is no person id: it is P and 16 hexadecimal digits, as in persons.")
    records = tables.persons[tables.persons["person_id"].eq(person_id)]
    if records.empty:
        raise UnusableInputError(f"{person_id} is in no table of this build: ids change with the deposits and the key.")
    parts = [
        ("Dossiers reconnus comme ceux d'une même personne", _files(records, tables)),
        ("Liens entre dossiers", _links(records, tables)),
        ("Ce qui est attesté", _observations(person_id, tables)),
        ("Épisodes de résidence", _spells(person_id, tables)),
        ("Migrations", _moves(person_id, tables)),
        ("Décisions contre une source", _conflicts(person_id, tables)),
        ("Séjours en région", _stays(person_id, tables)),
    ]
    lines = [f"Personne {person_id} · ménage {records['household_id'].iloc[0]}"]
    for title, part_lines in parts:
        texts = list(part_lines) or ["(rien)"]
        lines += ["", title, "-" * len(title), *texts]
    return "\n".join(lines) + "\n"


def _files(records: pd.DataFrame, tables: Tables) -> Iterator[str]:
    rows = records.merge(tables.records, on="record_id")
    for identity, part in rows.groupby("identity_id", sort=True):
        rows_of = sorted({(r.file, r.sheet or "", r.row) for r in part.itertuples()})
        lines_of_files = [f"{file}{f' [{sheet}]' if sheet else ''} ligne {row}" for file, sheet, row in rows_of]
        yield f"{identity} · {part['organisation_id'].iloc[0]} · {len(part)} ligne(s) : {'; '.join(lines_of_files)}"


def _links(records: pd.DataFrame, tables: Tables) -> Iterator[str]:
    identities = records["identity_id"].unique()
    links = tables.links
    near = links[links["left_id"].isin(identities) | links["right_id"].isin(identities)]
    near = near[near["decision"].ne("below_threshold") | (near["same"] >= 0.05)]
    for link in near.sort_values(["same", "left_id", "right_id"], ascending=[False, True, True]).to_dict("records"):
        verdict = {"linked": "reliés", "refused": "non reliés", "below_threshold": "sous le seuil"}[link["decision"]]
        why = f" ({_REASON.get(link['reason'], link['reason'])})" if link["reason"] else ""
        levels = ", ".join(_level(trait, link.get(f"gamma_{trait.name}")) for trait in TRAITS)
        yield f"{link['left_id']} – {link['right_id']} : {verdict}{why}, probabilité {link['same']:.4f} [{levels}]"


def _level(trait, gamma) -> str:
    if gamma is None or pd.isna(gamma) or gamma < 0:
        return f"{trait.name}: –"
    return f"{trait.name}: {trait.levels[len(trait.levels) - 1 - int(gamma)].name}"


def _observations(person_id: str, tables: Tables) -> Iterator[str]:
    rows = tables.observations[tables.observations["person_id"].eq(person_id)]
    rows = rows.merge(tables.records[["record_id", "file", "row"]], on="record_id", how="left")
    for row in rows.sort_values(["latest", "earliest", "kind", "record_id"]).itertuples():
        yield (
            f"{_span(row.earliest, row.latest)} · {_KIND[row.kind]} · {_place_of(row)} · {row.organisation_id} "
            f"({row.file} ligne {row.row})"
        )


def _spells(person_id: str, tables: Tables) -> Iterator[str]:
    for row in tables.spells[tables.spells["person_id"].eq(person_id)].itertuples():
        end = "en cours" if pd.isna(row.end_latest) else f"fin {_span(row.end_earliest, row.end_latest)}"
        yield (
            f"{row.spell}. {_place_of(row)} · début {_span(row.start_earliest, row.start_latest)} · {end} · dernière "
            f"présence confirmée {_day(row.last_confirmed)} · {row.outcome} · {row.n_observations} observation(s)"
        )


def _moves(person_id: str, tables: Tables) -> Iterator[str]:
    for row in tables.moves[tables.moves["person_id"].eq(person_id)].itertuples():
        origin = _place_name(row.origin_municipality, row.origin_region, row.origin_zone)
        destination = _place_name(row.destination_municipality, row.destination_region, row.destination_zone)
        yield f"{row.move}. {origin} → {destination} · {row.kind} · {_span(row.earliest, row.latest)}"


def _conflicts(person_id: str, tables: Tables) -> Iterator[str]:
    for row in tables.conflicts[tables.conflicts["person_id"].eq(person_id)].itertuples():
        yield f"{_day(row.date)} · {_RULE.get(row.rule, row.rule)} · dit : {row.said} · retenu : {row.kept}"


def _stays(person_id: str, tables: Tables) -> Iterator[str]:
    for row in tables.cohort[tables.cohort["person_id"].eq(person_id)].itertuples():
        out = f" · exclu de la rétention : {row.excluded}" if row.excluded else ""
        left = f"sorti vers {row.exit} dans ({row.lower:.2f}, {row.upper:.2f}]"
        end = left if row.exit else f"suivi à {row.lower:.2f}"
        yield (
            f"{row.episode}. région {row.region} · {row.pathway} · établissement "
            f"{_span(row.establishment_earliest, row.establishment_latest)} · entrée {row.entry:.2f} · {end} mois{out}"
        )
        contacts = tables.contacts
        of_stay = contacts[contacts["person_id"].eq(person_id) & contacts["episode"].eq(row.episode)]
        for contact in of_stay.sort_values("month").itertuples():
            yield f"   mois {contact.month:.2f} : {contact.kind} ({contact.organisation_id})"


def _place_of(row) -> str:
    return _place_name(row.municipality, row.region, row.zone)


def _place_name(municipality: str | None, region: str | None, zone: str) -> str:
    # a name is the same for every perimeter
    names = municipalities(Study().perimeter)["name"]
    town = names.get(municipality, municipality) if municipality else None
    return " / ".join(part for part in (town, region, _ZONE[zone]) if part)


def _span(earliest: pd.Timestamp, latest: pd.Timestamp) -> str:
    return _day(latest) if earliest == latest else f"[{_day(earliest)}, {_day(latest)}]"


def _day(date: pd.Timestamp) -> str:
    return "?" if pd.isna(date) else f"{date:%Y-%m-%d}"
