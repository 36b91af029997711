"""The organisations, all invented: where they are, when they open and close, their habits, and their desk.

Habits are the format, encoding, separator, columns and wording of one organisation's deposits. Options are assigned in
turn, not at random, so that a level has each of its options even with few organisations. An organisation notes what it
has seen of a household as events: one per future row of a deposit, before it is typed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from .geography import MONTREAL, REGION_SHARES, geography
from .settings import ORGANISATION, TYPING, Settings, add_months, between, day_of, generator, pick, words

_KINDS = ("Carrefour d'accueil", "Maison", "Service d'intégration", "Accueil", "Centre interculturel", "Rencontres")
_OF = words(
    "des Érables|du Grand-Vent|de la Boussole|des Deux-Ponts|du Bouleau|de l'Étincelle|des Passerelles|du Nordet|"
    "de la Lanterne|des Rivages|du Point-du-Jour|de l'Outarde|des Mélèzes"
)
# The full French label of each column; other spellings are made from it (habits.header).
LABELS = dict(
    item.split("=")
    for item in words(
        "code_organisme=Code d'organisme|nom_organisme=Nom de l'organisme|exercice=Exercice|trimestre=Trimestre|"
        "no_dossier=No dossier|no_menage=No ménage|prenom=Prénom|nom=Nom|date_naissance=Date de naissance|sexe=Sexe|"
        "pays_naissance=Pays de naissance|categorie_immigration=Catégorie d'immigration|"
        "date_arrivee_quebec=Date d'arrivée au Québec|connaissance_francais=Connaissance du français|"
        "scolarite=Scolarité|taille_menage=Taille du ménage|municipalite_residence=Municipalité de résidence|"
        "code_municipal=Code municipal|code_postal=Code postal|programme=Programme|volet=Volet|service=Service|"
        "date_service=Date du service|date_depart_montreal=Date de départ de Montréal|"
        "date_etablissement=Date d'établissement|municipalite_destination=Municipalité de destination|"
        "motif_etablissement=Motif d'établissement|besoins=Besoins|emploi_obtenu=Emploi obtenu|"
        "date_emploi=Date d'emploi|logement_trouve=Logement trouvé|date_logement=Date de logement|"
        "date_suivi=Date de suivi|statut_suivi=Statut du suivi|date_depart_region=Date de départ de la région|"
        "destination_depart=Destination de départ|motif_depart=Motif de départ|remarques=Remarques"
    )
)
COLUMNS = tuple(LABELS)
# Columns that some organisations do not keep
_OPTIONAL = words(
    "code_municipal code_postal scolarite volet motif_etablissement besoins date_logement logement_trouve remarques "
    "code_organisme nom_organisme"
)
_ENCODINGS = (
    ("utf-8",),
    ("utf-8-sig", "cp1252", "utf-8", "mac_roman", "cp1252"),
    ("utf-8-sig", "cp1252", "utf-8", "mac_roman", "mojibake", "utf-16", "nfd", "cp1252"),
)
_SEPARATORS = ((",",), (";", ",", ";", "\t"), (";", ",", "\t", ";", "|"))
_HEADERS = (
    ("canonical",),
    ("label", "canonical", "upper", "plain"),
    ("label", "upper", "canonical", "plain", "spaced"),
)
_CSV_DATES = (("iso",), ("iso", "dmy", "words", "dmy"), ("iso", "dmy", "words", "dmy", "mdy", "dmy_short"))
_XLSX_DATES = (
    ("iso",),
    ("excel", "iso", "serial", "dmy", "words"),
    ("excel", "dmy", "serial", "serial_1904", "mdy", "words", "iso"),
)
_PLACES = (
    ("official",),
    ("official", "official", "upper", "plain", "saint"),
    ("official", "upper", "plain", "saint", "official"),
)


@dataclass(frozen=True)
class Organisation:
    """One partner. `closed` is its last day, `stops_calling` the day after its last scheduled contact."""

    index: int
    code: str
    name: str
    municipality: str
    zone: str
    region: str
    opened: int
    closed: int | None
    stops_calling: int | None

    def active(self, day: int) -> bool:
        """Whether it was open on a day."""
        return self.opened <= day and (self.closed is None or day <= self.closed)


@dataclass(frozen=True)
class Network:
    """All the organisations, and who serves which region."""

    all: tuple[Organisation, ...]
    metropole: tuple[Organisation, ...]
    by_region: dict[str, tuple[Organisation, ...]]

    def serving(self, rng: np.random.Generator, region: str, day: int) -> Organisation | None:
        """An organisation that serves a region on a day: its own, else the largest region's."""
        open_ones = [o for o in self.by_region[region] if o.active(day)]
        u = rng.random()
        return open_ones[int(u * len(open_ones))] if open_ones else None

    def in_metropole(self, rng: np.random.Generator, day: int) -> Organisation | None:
        """An organisation of the metropole open on a day."""
        open_ones = [o for o in self.metropole if o.active(day)]
        u = rng.random()
        return open_ones[int(u * len(open_ones))] if open_ones else None


def network_of(settings: Settings) -> Network:
    """The organisations of a simulation."""
    geo = geography()
    rng = generator(settings.seed, ORGANISATION)
    metropole = max(1, round(settings.organisations * 0.2))
    regions = _seats(settings.organisations - metropole)
    stopping = _random_share(rng, len(regions), settings.stop_calling)
    closing = _random_share(rng, len(regions), settings.closing)
    first, last = day_of(settings.start), day_of(settings.end)
    months = (last - first) // 31
    made: list[Organisation] = []
    served: set[str] = set()
    for i in range(settings.organisations):
        inside = i < metropole
        region = "06" if inside else regions[i - metropole]
        if inside:
            town = MONTREAL if i % 4 != 3 else geo.draw_metropole(rng)
        else:
            towns = geo.by_population[region]
            town = max(towns.values, key=lambda c: geo.population[c])
            if region in served:
                town = towns.draw(rng)
        opened = first
        if region in served and rng.random() < 0.3:
            opened = add_months(first, 3 * between(rng, 1, max(1, months // 9)))
        u, v = rng.random(), rng.random()
        closes = not inside and i - metropole in closing
        stops = not inside and i - metropole in stopping and not settings.contacts_succeed
        closed = add_months(first, int(months * (0.55 + 0.35 * u))) - 1 if closes else None
        stop = add_months(first, int(months * (0.35 + 0.4 * v))) if stops else None
        served.add(region)
        code = f"EER{i + 1:02d}" if inside else f"OBR{i - metropole + 1:02d}"
        made.append(Organisation(i, code, _name(i, rng), town, geo.zone[town], geo.region[town], opened, closed, stop))
    inside_ones = tuple(o for o in made if o.zone == "metropole")
    regional = [o for o in made if o.zone != "metropole"]
    by_region = {}
    for region in REGION_SHARES:
        own = tuple(o for o in regional if o.region == region)
        by_region[region] = own or tuple(o for o in regional if o.region == regional[0].region)
    return Network(tuple(made), inside_ones, by_region)


def _seats(count: int) -> list[str]:
    """Regions of the regional organisations: one each from the largest down, then by highest average (D'Hondt)."""
    order = sorted(REGION_SHARES, key=lambda r: -REGION_SHARES[r])
    seats = order[:count]
    held = dict.fromkeys(order, 1)
    while len(seats) < count:
        region = max(order, key=lambda r: REGION_SHARES[r] / (held[r] + 1))
        held[region] += 1
        seats.append(region)
    return seats


def _random_share(rng: np.random.Generator, count: int, share: float) -> frozenset[int]:
    # An exact share of the organisations (rounded), so that a setting of .1 among 24 is never none by chance.
    return frozenset(rng.permutation(count)[: round(count * share)].tolist())


def _name(index: int, rng: np.random.Generator) -> str:
    kind = pick(rng, _KINDS)
    name = f"{kind} {_OF[index % len(_OF)]}"
    return name if index < len(_OF) else f"{name} {'I' * (index // len(_OF) + 1)}" if index < 39 else f"{name} {index}"


@dataclass(frozen=True)
class Habit:
    """How one organisation fills in and saves its deposits."""

    format: str  # csv or xlsx
    annual: bool
    encoding: str
    separator: str
    header: str
    dates: str
    places: str
    wording: int  # which variant of each word
    french_words: bool
    upper_names: bool
    columns: tuple[str, ...]
    title: bool
    total: bool
    first_row_only: bool  # the organisation's name only on the first row
    drops_zeros: bool
    numbering: int
    synonyms: bool
    drift: bool  # its form changes once
    drawn: frozenset[str] = frozenset()  # of `habits.HABITS`

    def fills(self, column: str) -> bool:
        """Whether the organisation ever fills a column."""
        return column in self.columns and f"no_{column}" not in self.drawn


_FORM_CHANGE = 2022 * 4 + 1  # the quarter that begins the exercice 2022-2023


@cache
def habit_in(habit: Habit, quarter: int) -> Habit:
    """The habit of a quarter: from one exercice on, « Genre » for « Sexe », words for the levels of French, others
    for the categories (domain.md §2.8); the columns and the form of the dates stay."""
    if not habit.drift or quarter < _FORM_CHANGE:
        return habit
    return replace(habit, header="label", synonyms=True, french_words=True, wording=(habit.wording + 1) % 3)


def habits(settings: Settings, network: Network) -> list[Habit]:
    """The habits of all organisations, in their order."""
    level = settings.level
    rng = generator(settings.seed, TYPING)
    order = rng.permutation(len(network.all)).tolist()
    annual = set(order[: max(1, len(order) // 8)]) if len(order) >= 4 else set()
    habit_by_index: dict[int, Habit] = {}
    csv_rank = xlsx_rank = 0
    for rank, index in enumerate(order):
        is_csv = (index not in annual and rank % 2 == 1) or (index not in annual and len(order) < 4 and rank % 2 == 0)
        n = csv_rank if is_csv else xlsx_rank
        csv_rank, xlsx_rank = csv_rank + is_csv, xlsx_rank + (not is_csv)
        dates = _CSV_DATES[level] if is_csv else _XLSX_DATES[level]
        habit_by_index[index] = Habit(
            format="csv" if is_csv else "xlsx",
            annual=index in annual,
            encoding=_ENCODINGS[level][n % len(_ENCODINGS[level])],
            separator=_SEPARATORS[level][n % len(_SEPARATORS[level])],
            header=_HEADERS[level][rank % len(_HEADERS[level])],
            dates=dates[n % len(dates)],
            places=_PLACES[level][rank % len(_PLACES[level])],
            wording=rank % 3 if level else 0,
            french_words=bool(level) and rank % 3 == 1,
            upper_names=bool(level) and rank % 5 == 2,
            columns=_columns(rng, level, index in annual, rank),
            title=bool(level) and rank % 4 == 1,
            total=bool(level) and rank % 5 == 1,
            first_row_only=bool(level) and rank % 6 == 3,
            drops_zeros=bool(level) and rank % 3 != 2,
            numbering=index % 3,
            synonyms=bool(level) and rank % 4 == 0,
            drift=level == 2 and rank % 4 == 3,
        )
    return [habit_by_index[i] for i in range(len(network.all))]


def _columns(rng: np.random.Generator, level: int, annual: bool, rank: int) -> tuple[str, ...]:
    u = rng.random(len(_OPTIONAL))
    dropped = {c for c, v in zip(_OPTIONAL, u.tolist(), strict=True) if level and v < 0.25}
    if {"code_organisme", "nom_organisme"} <= dropped:
        dropped.discard("code_organisme")
    if level and not annual and rank % 4 == 2:
        dropped |= {"exercice", "trimestre"}  # the file name has them
    kept = [c for c in COLUMNS if c not in dropped]
    if level and rank % 3 == 2:
        # Who first, then what, then the organisation: the order is each organisation's own.
        start = between(rng, 1, 4)
        kept = kept[start:] + kept[:start]
    return tuple(kept)


@dataclass
class Event:
    """A future row: true values, dates as day numbers, places as municipality codes.

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
    note: str = ""  # why the row is odd, where a defect of the facts made it
    lived: str = ""  # where the person truly lived on that day, whatever address is noted
    blank: tuple[str, ...] = ()  # columns that stay blank on this row
