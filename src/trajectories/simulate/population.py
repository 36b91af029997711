"""The people: households and persons, invented; who they are, how they are named, when they come, where they go first.

Names are common first and last names by country, combined at random; nobody real is meant. Every letter is in
Latin-1, so that each name can be typed in each encoding of the contract. Where a household settles decides the mix of
categories (effects.CATEGORY_BY_SIZE), never the reverse: category is independent of the region, and of the job, given
the size of the city.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from . import settings as effects
from .geography import geography
from .settings import POPULATION, Choice, Settings, add_months, between, date_of, day_of, generator, pick, words

_POOLS: dict[str, tuple[str, str, str]] = {
    "maghreb": (
        "Amina Fatima Khadija Nadia Samira Leïla Yasmine Salma Imane Houda Meriem Souad Karima Rachida Naïma Sara "
        "Lamia Hanane Zineb Asma Wafa Ikram Dounia Malika Rania",
        "Mohamed Ahmed Karim Youssef Rachid Samir Nabil Omar Hicham Mehdi Sofiane Bilal Khalid Mourad Tarek Amine "
        "Abdelkader Yacine Walid Anis Reda Hamza Adel Farid Ismaïl",
        "Benali|Haddad|Bouzid|Mansouri|Belkacem|Cherif|El Amrani|Benjelloun|Ben Salah|Trabelsi|Hamdi|Saïdi|Zeroual|"
        "Boukhari|Ouali|Ziani|Meziane|Rahmani|Ben Youssef|El Idrissi|Gharbi|Jaziri|Khelifi|Lahlou|Mokrani|Naceri|"
        "Slimani|Touati|Yahiaoui|Bensaïd|Ferhat|Amara|Daoudi|El Fassi|Kaddour|Chaoui",
    ),
    "france": (
        "Claire Camille Julie Sophie Anne-Laure Marie-Claire Émilie Céline Hélène Aurélie Charlotte Mathilde Léa "
        "Pauline Élodie Marie-Ève Laure Noémie Agnès Delphine Inès Manon Virginie Marie-Hélène Chloé",
        "Julien Nicolas Thomas Pierre Jean-Baptiste Antoine Guillaume Mathieu Jérôme François Rémi Vincent Benoît "
        "Jean-Marc Sébastien Romain Hugo Lucas Étienne Gaëtan Adrien Olivier Jean-Philippe Loïc Cédric",
        "Martin|Bernard|Dubois|Durand|Lefèvre|Moreau|Girard|Fournier|Mercier|Garnier|Faure|Rousseau|Blanchard|"
        "Perrin|Morel|Gauthier|Chevalier|Bonnet|Lambert|Fontaine|Robin|Masson|Noël|Dupuis|Le Goff|Legrand|Vidal|"
        "Barbier|Renaud|Leclercq|Pichon|Besson|Coulon|Hébert|Maillard|Poirier",
    ),
    "levant": (
        "Rima Lina Hala Maya Nour Rana Ghada Dima Salwa Abir Zeina Mariam Hanan Joumana Aya Lubna Nisrine Sahar "
        "Razan Farah",
        "Bassel Ziad Elias Fadi Georges Hassan Ali Tony Marwan Nizar Samer Rami Ghassan Jihad Anas Ammar Hadi "
        "Maher Wael Khaled",
        "Khoury|Haddad|Nassar|Saleh|Hamdan|Issa|Darwish|Al Masri|Al Khatib|Najjar|Sabbagh|Azar|Mansour|Tannous|"
        "Al Hassan|Shaheen|Barakat|Awad|Ibrahim|Jaber|Qassem|Hijazi|Ghanem|Rahal|Saad|Zaher|Abboud|Kassab",
    ),
    "west_africa": (
        "Aminata Fatou Mariama Aïssatou Awa Bintou Ramatoulaye Adjoa Akissi Rokia Djeneba Coumba Ndeye Hawa Kadiatou "
        "Estelle Prisca Grâce Bénédicte Rose",
        "Mamadou Ibrahima Ousmane Moussa Abdoulaye Cheikh Kouassi Kofi Amadou Souleymane Boubacar Alassane Serge "
        "Yao Issouf Lamine Modou Kouamé Désiré Parfait",
        "Diallo|Traoré|Koné|Ouattara|Diop|Ndiaye|Sow|Bah|Kouassi|Coulibaly|Sarr|Fall|Keïta|Touré|Cissé|Camara|Barry|"
        "Gueye|Yao|Koffi|Sanogo|Ouédraogo|Adjovi|Kamara|Sy|Ba|Konaté|Diarra|Kouadio|N'Guessan|N'Dri",
    ),
    "central_africa": (
        "Chantal Béatrice Solange Clarisse Immaculée Espérance Divine Mireille Nathalie Odette Joséphine Angélique "
        "Francine Sandrine Nadège Esther Ruth Merveille Blandine Carine",
        "Emmanuel Jean-Claude Patrick Innocent Christian Dieudonné Fabrice Hervé Aimé Gervais Pascal Thierry Bienvenu "
        "Jean-Bosco Olivier Trésor Gaston Landry Cyrille Roger",
        "Mbala|Kabongo|Mukendi|Tshibangu|Ilunga|Ngoma|Kalala|Nkurunziza|Niyonzima|Hakizimana|Ndayishimiye|Mbarga|"
        "Nguema|Fotso|Kamga|Tchoupo|Nana|Ngo Bassong|Bahati|Mutombo|Kasongo|Lukusa|Nzeyimana|Irakoze|Eyenga|Atangana|"
        "Owona|Biloa|Tchatchoua|Mwamba",
    ),
    "haiti": (
        "Marie-Ange Rose-Marie Guerline Nadège Fabiola Mirlande Islande Roselyne Wideline Ketia Darline Yolande "
        "Guirlène Bernadette Lovely Stéphanie Marie-Lourdes Judith Naomie Esther",
        "Jean-Robert Wilner Frantz Ronald Pierre-Louis Evens Jimmy Reginald Fritz Jude Wilson Stanley Junior Ricardo "
        "Mackenson Dieuseul Jean-Max Patrick Kervens Smith",
        "Jean-Baptiste|Pierre|Joseph|Charles|Louis|François|Desir|Saint-Louis|Jean-Louis|Étienne|Dorval|Célestin|"
        "Augustin|Toussaint|Bien-Aimé|Philippe|Michel|Paul|Estimé|Guerrier|Laguerre|Exantus|Mésidor|Valcin|Fils-Aimé|"
        "Petit-Frère|Cadet|Belizaire|Alcindor|Duvivier",
    ),
    "latin_america": (
        "María Ana Laura Paola Diana Andrea Claudia Gabriela Adriana Carolina Natalia Luz Patricia Verónica Sandra "
        "Juliana Lucía Daniela Valentina María-José Rosa Isabel Camila Mónica",
        "Carlos Juan José Luis Andrés Jorge Diego Fernando Miguel Javier Óscar Ricardo Alejandro Camilo Mauricio "
        "Hernán Eduardo Santiago Julián Pedro Rafael César Iván Marco",
        "García|Rodríguez|Martínez|López|González|Hernández|Pérez|Sánchez|Ramírez|Torres|Flores|Rivera|Gómez|Díaz|"
        "Morales|Ortiz|Castro|Vargas|Rojas|Mendoza|Herrera|Medina|Guerrero|Muñoz|Salazar|Cárdenas|Ospina|Restrepo|"
        "Quintero|Ríos|Peña|Suárez",
    ),
    "brazil": (
        "Ana Juliana Fernanda Camila Mariana Beatriz Larissa Letícia Patrícia Renata Luciana Débora Vanessa Aline "
        "Priscila Tatiana",
        "João Rafael Bruno Thiago Felipe Lucas Gustavo Rodrigo Marcelo André Leonardo Fábio Vinícius Eduardo Daniel "
        "Caio",
        "Silva|Santos|Oliveira|Souza|Lima|Pereira|Ferreira|Costa|Rodrigues|Almeida|Nascimento|Araújo|Ribeiro|Carvalho|"
        "Gomes|Barbosa|Rocha|Dias|Moreira|Cardoso|Teixeira|Cavalcanti|da Silva|dos Santos",
    ),
    "china": (
        "Li Na|Xiu Ying|Min|Jing|Yan|Hui|Xia|Lin|Mei|Fang|Xue|Ying|Yu Ting|Jia Yi|Qian|Lan",
        "Wei|Jun|Lei|Qiang|Tao|Bo|Hao|Ming|Jian|Peng|Zhi Wei|Yu Chen|Kai|Bin|Gang|Feng",
        "Wang|Li|Zhang|Liu|Chen|Yang|Zhao|Huang|Zhou|Wu|Xu|Sun|Hu|Zhu|Gao|Lin|He|Guo|Ma|Luo|Liang|Song",
    ),
    "india": (
        "Priya Anjali Neha Pooja Kavita Deepa Sunita Ritu Simran Harpreet Manpreet Divya Meera Swati Jasleen Aarti",
        "Rahul Amit Rajesh Sanjay Vikram Arjun Harpreet Gurpreet Suresh Manish Ravi Nikhil Karan Deepak Jaspreet Anil",
        "Singh|Kaur|Patel|Sharma|Kumar|Gupta|Verma|Mehta|Shah|Reddy|Nair|Iyer|Gill|Sandhu|Dhillon|Joshi|Desai|Rao|Das|"
        "Malhotra",
    ),
    "philippines": (
        "Maria|Jocelyn|Rosalie|Cristina|Analyn|Marites|Jennifer|Grace|Lorna|Mary Ann|Mary Grace|Rowena|Aileen|Liza|"
        "Sheryl|Maricel",
        "Jose Mark Ronaldo Rodel Jerome Michael Arnel Noel Ramon Edgar Joel Dennis Rommel Alvin Christian Reynaldo",
        "Santos|Reyes|Cruz|Bautista|Ocampo|Garcia|Mendoza|Torres|Castillo|Flores|Villanueva|Ramos|Aquino|Navarro|"
        "Dela Cruz|De Guzman|Domingo|Salvador|Pascual|Mercado|Soriano|Valdez",
    ),
    "afghanistan": (
        "Fariba Zahra Maryam Shabnam Parwana Nilofar Freshta Laila Soraya Homa Zarghuna Mina Roya Sahar",
        "Ahmad Farhad Najib Hamid Zalmai Mustafa Jawad Wahid Qasim Habib Idris Naser Sayed Rahim",
        "Ahmadi|Rahimi|Karimi|Noori|Haidari|Hosseini|Amiri|Sadat|Azizi|Wardak|Popal|Yousufi|Stanekzai|Faizi|Hakimi|"
        "Rasooli|Safi|Nazari",
    ),
    "eastern_europe": (
        "Olena Iryna Oksana Natalia Tetiana Yuliia Kateryna Svitlana Elena Ioana Andreea Mihaela Cristina Raluca "
        "Anastasiia Daria",
        "Oleksandr Andrii Serhii Volodymyr Dmytro Ivan Mykola Bohdan Andrei Mihai Cristian Alexandru Bogdan Radu "
        "Maksym Yurii",
        "Shevchenko|Kovalenko|Bondarenko|Tkachenko|Kravchenko|Oliynyk|Melnyk|Boyko|Popescu|Ionescu|Popa|Dumitru|Stan|"
        "Marin|Munteanu|Rusu|Lysenko|Moroz|Savchenko|Petrenko",
    ),
    "iran": (
        "Maryam Shirin Nasrin Leila Parisa Mahsa Niloofar Elham Azadeh Samaneh Fatemeh Sepideh",
        "Reza Mehdi Hossein Amir Saeed Babak Kaveh Arash Behzad Farhad Navid Payam",
        "Hosseini|Mohammadi|Ahmadi|Rezaei|Karimi|Jafari|Moradi|Rahimi|Sadeghi|Ebrahimi|Tehrani|Shirazi|Farahani|Kazemi",
    ),
}
# country (ISO 3166-1 α-3): French name as typed, name pool
COUNTRIES = {
    code: (name, pool)
    for code, name, pool in (
        item.split("=")
        for item in words(
            "FRA=France=france|DZA=Algérie=maghreb|MAR=Maroc=maghreb|TUN=Tunisie=maghreb|SYR=Syrie=levant|"
            "LBN=Liban=levant|IRQ=Irak=levant|CMR=Cameroun=central_africa|"
            "COD=République démocratique du Congo=central_africa|BDI=Burundi=central_africa|RWA=Rwanda=central_africa|"
            "CIV=Côte d'Ivoire=west_africa|SEN=Sénégal=west_africa|MLI=Mali=west_africa|BEN=Bénin=west_africa|"
            "TGO=Togo=west_africa|HTI=Haïti=haiti|COL=Colombie=latin_america|MEX=Mexique=latin_america|"
            "GTM=Guatemala=latin_america|PER=Pérou=latin_america|VEN=Venezuela=latin_america|BRA=Brésil=brazil|"
            "CHN=Chine=china|IND=Inde=india|PHL=Philippines=philippines|AFG=Afghanistan=afghanistan|"
            "UKR=Ukraine=eastern_europe|ROU=Roumanie=eastern_europe|IRN=Iran=iran"
        )
    )
}
_PATHS = Choice(("secondary", "primary", "metropole"), (0.80, 0.08, 0.12))
_SIZES = {
    "economic": Choice((1, 2, 3, 4, 5), (0.33, 0.24, 0.20, 0.18, 0.05)),
    "family": Choice((1, 2, 3, 4), (0.48, 0.28, 0.15, 0.09)),
    "refugee": Choice((1, 2, 3, 4, 5, 6, 7), (0.20, 0.15, 0.18, 0.20, 0.15, 0.08, 0.04)),
    "other_permanent": Choice((1, 2, 3, 4), (0.40, 0.25, 0.20, 0.15)),
    "asylum_claimant": Choice((1, 2, 3, 4, 5), (0.40, 0.20, 0.18, 0.15, 0.07)),
    "temporary_worker": Choice((1, 2, 3, 4), (0.66, 0.15, 0.11, 0.08)),
    "student": Choice((1, 2, 3), (0.75, 0.17, 0.08)),
}
_ORIGINS = {
    "economic": "FRA 18 DZA 13 MAR 10 TUN 7 CMR 9 CIV 6 SEN 3 BEN 2 TGO 1 BRA 5 COL 6 CHN 6 IRN 4 LBN 3 HTI 3 ROU 5",
    "family": "HTI 14 DZA 12 MAR 12 FRA 9 COL 6 MEX 6 CMR 5 CHN 6 LBN 5 IND 4 PHL 5 PER 3 TUN 5 COD 4 VEN 2 AFG 2",
    "refugee": "SYR 26 COD 16 AFG 10 BDI 7 IRQ 7 COL 9 HTI 5 RWA 3 VEN 5 UKR 7 CMR 3 IRN 2",
    "other_permanent": "HTI 30 DZA 15 CMR 10 MEX 15 COD 15 LBN 15",
    "asylum_claimant": "HTI 28 MEX 18 COL 10 IND 10 VEN 8 COD 8 SEN 5 DZA 5 PER 4 AFG 4",
    "temporary_worker": "GTM 22 MEX 20 PHL 18 FRA 14 TUN 8 MAR 6 CIV 4 COL 4 MLI 1 UKR 3",
    "student": "FRA 24 CMR 13 IND 10 CIV 9 SEN 8 BEN 6 DZA 7 MAR 7 CHN 6 TGO 4 IRN 3 TUN 3",
}
_FRANCOPHONE = frozenset(
    ["FRA", "DZA", "MAR", "TUN", "CMR", "COD", "BDI", "CIV", "SEN", "MLI", "BEN", "TGO", "HTI", "LBN", "RWA"]
)


_COUNTRY = {category: Choice.by_weight(text) for category, text in _ORIGINS.items()}
_CATEGORY = {size: Choice(effects.CATEGORIES, shares) for size, shares in effects.CATEGORY_BY_SIZE.items()}
_METROPOLE_CATEGORY = Choice(effects.CATEGORIES, (0.50, 0.19, 0.10, 0.01, 0.10, 0.04, 0.06))
_AGES = Choice(((18, 24), (25, 34), (35, 44), (45, 64)), (0.12, 0.50, 0.28, 0.10))
_FRENCH = {
    True: Choice(range(1, 13), (1, 1, 1, 1, 1, 1, 3, 5, 8, 14, 24, 40)),
    False: Choice(range(13), (18, 12, 10, 9, 9, 8, 8, 9, 7, 4, 3, 2, 1)),
}
_EDUCATION = Choice(("none", "secondary", "college", "university"), (0.06, 0.24, 0.22, 0.48))


@dataclass(frozen=True)
class Person:
    """One person, with the true values."""

    number: int
    role: str  # principal, spouse, child
    given_name: str
    family_name: str
    birth: int
    sex: str
    birth_country: str
    french: int  # level of the Échelle québécoise at first contact, 0–12
    education: str


@dataclass(frozen=True)
class Household:
    """People who immigrate together. `established` and `destination` are None for those who stay in the metropole."""

    number: int
    path: str  # secondary, primary, metropole
    category: str
    arrival: int
    home: str  # first municipality in the metropole ("" for those who arrive en région)
    established: int | None
    destination: str | None
    members: tuple[Person, ...]


class Calendar:
    """When households come: by month, fewer in the pandemic, a few before the first deposit."""

    def __init__(self, settings: Settings) -> None:
        first, last = day_of(settings.start), day_of(settings.end)
        months, weights = [], []
        month = add_months(first, -12)
        while month <= last:
            pandemic = effects.PANDEMIC[0] <= date_of(month) <= effects.PANDEMIC[1]
            months.append(month)
            # One in ten of those of the year before still has to do with a partner when deposits begin.
            weights.append(0.1 if month < first else effects.PANDEMIC_ARRIVALS if pandemic else 1.0)
            month = add_months(month, 1)
        self._months, self._last = Choice(months, weights), last

    def draw(self, rng: np.random.Generator) -> int:
        """A day."""
        month = self._months.draw(rng)
        return min(between(rng, month, add_months(month, 1) - 1), self._last)


def draw_household(settings: Settings, calendar: Calendar, number: int, first_person: int) -> Household:
    """Household `number`, whose persons are numbered from `first_person`."""
    geo = geography()
    rng = generator(settings.seed, POPULATION, number)
    path = _PATHS.draw(rng)
    day = calendar.draw(rng)
    # Geometric with a cap: people leave the metropole mostly in the first two years.
    wait = 1
    while wait < 84 and rng.random() < 0.925:
        wait += 1
    home = geo.draw_metropole(rng)
    region = geo.regions.draw(rng)
    destination = geo.draw_in_region(rng, region)
    if path == "metropole":
        category = _METROPOLE_CATEGORY.draw(rng)
        household = Household(number, path, category, day, home, None, None, ())
    else:
        category = _CATEGORY[geo.city_size(destination)].draw(rng)
        if path == "secondary":
            arrival = add_months(day, -wait) - between(rng, 0, 27)
            household = Household(number, path, category, arrival, home, day, destination, ())
        else:
            household = Household(number, path, category, day - between(rng, 0, 6), "", day, destination, ())
    return replace(household, members=_members(rng, household, first_person))


def _members(rng: np.random.Generator, household: Household, first: int) -> tuple[Person, ...]:
    size = _SIZES[household.category].draw(rng)
    country = _COUNTRY[household.category].draw(rng)
    low, high = _AGES.draw(rng)
    couple = size >= 2 and rng.random() < (0.82 if size == 2 else 0.9)
    age = max(between(rng, low, high), 24 if size > 2 else 18)
    sex = "F" if rng.random() < 0.47 else "M"
    name = family_name(rng, country)
    people = [_adult(rng, first, "principal", country, sex, name, household.arrival, age)]
    if couple:
        spouse_sex = "M" if sex == "F" else "F"
        spouse_country = country if rng.random() < 0.85 else _COUNTRY[household.category].draw(rng)
        # In Québec law both keep their name; a quarter come with a common one.
        spouse_name = name if rng.random() < 0.25 else family_name(rng, spouse_country)
        people.append(
            _adult(
                rng,
                first + 1,
                "spouse",
                spouse_country,
                spouse_sex,
                spouse_name,
                household.arrival,
                max(18, age + between(rng, -5, 4)),
            )
        )
    father = next((p.family_name for p in people if p.sex == "M"), name)
    youngest = min((household.arrival - p.birth) // 365 for p in people)
    while len(people) < size:
        people.append(_child(rng, first + len(people), country, father, household.arrival, youngest, people))
    return tuple(people)


def _adult(
    rng: np.random.Generator, number: int, role: str, country: str, sex: str, name: str, arrival: int, age: int
) -> Person:
    birth = add_months(arrival, -12 * age) - between(rng, 0, 364)
    french = _FRENCH[country in _FRANCOPHONE].draw(rng)
    return Person(number, role, given_name(rng, country, sex), name, birth, sex, country, french, _EDUCATION.draw(rng))


def _child(
    rng: np.random.Generator, number: int, country: str, name: str, arrival: int, parent_age: int, people: list[Person]
) -> Person:
    sex = "F" if rng.random() < 0.49 else "M"
    oldest = max(0, min(21, parent_age - 19))
    birth = arrival - 20 - int(rng.random() * (oldest * 365 + 300))
    siblings = [p for p in people if p.role == "child"]
    if siblings and rng.random() < 0.03:
        birth = siblings[-1].birth  # twins
    taken = {p.given_name for p in people}
    first_name = given_name(rng, country, sex)
    while first_name in taken:
        first_name = f"{pick(rng, ('Sam', 'Noa', 'Lou', 'Alix', 'Eden', 'Sacha'))} {first_name}"
    age = (arrival - birth) // 365
    education = "none" if age < 16 else "secondary"
    french = 0 if age < 5 else _FRENCH[country in _FRANCOPHONE].draw(rng)
    return Person(number, "child", first_name, name, birth, sex, country, french, education)


@dataclass(frozen=True)
class NamePool:
    """First names by sex, last names."""

    female: tuple[str, ...]
    male: tuple[str, ...]
    family: tuple[str, ...]


POOLS = {key: NamePool(words(f), words(m), words(n)) for key, (f, m, n) in _POOLS.items()}


def given_name(rng: np.random.Generator, country: str, sex: str) -> str:
    """A first name; one in eight is double (« Amina Sara »), as passports have them."""
    pool = POOLS[COUNTRIES[country][1]]
    names = pool.female if sex == "F" else pool.male
    first = _common_first(rng, names)
    if rng.random() < 0.12 and " " not in first and "-" not in first:
        second = pick(rng, names)
        if second != first and " " not in second and "-" not in second:
            return f"{first} {second}"
    return first


def family_name(rng: np.random.Generator, country: str) -> str:
    """A last name; two of them in Latin America and half the time in Brazil."""
    pool = POOLS[COUNTRIES[country][1]]
    first = _common_first(rng, pool.family)
    kind = COUNTRIES[country][1]
    if (kind == "latin_america" and rng.random() < 0.75) or (kind == "brazil" and rng.random() < 0.5):
        return f"{first} {pick(rng, pool.family)}"
    return first


def _common_first(rng: np.random.Generator, names: tuple[str, ...]) -> str:
    # One in six has one of the four commonest names of the list: homonyms exist without being planted.
    return pick(rng, names[:4]) if rng.random() < 0.16 else pick(rng, names)
