"""Invented people: common first and last names by country, combined at random. Nobody real is meant.

Every letter is in Latin-1, so that each name can be typed in each encoding of the contract.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .chance import pick

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
COUNTRIES: dict[str, tuple[str, str]] = {
    "FRA": ("France", "france"), "DZA": ("Algérie", "maghreb"), "MAR": ("Maroc", "maghreb"),
    "TUN": ("Tunisie", "maghreb"), "SYR": ("Syrie", "levant"), "LBN": ("Liban", "levant"), "IRQ": ("Irak", "levant"),
    "CMR": ("Cameroun", "central_africa"), "COD": ("République démocratique du Congo", "central_africa"),
    "BDI": ("Burundi", "central_africa"), "RWA": ("Rwanda", "central_africa"),
    "CIV": ("Côte d'Ivoire", "west_africa"), "SEN": ("Sénégal", "west_africa"), "MLI": ("Mali", "west_africa"),
    "BEN": ("Bénin", "west_africa"), "TGO": ("Togo", "west_africa"), "HTI": ("Haïti", "haiti"),
    "COL": ("Colombie", "latin_america"), "MEX": ("Mexique", "latin_america"),
    "GTM": ("Guatemala", "latin_america"), "PER": ("Pérou", "latin_america"), "VEN": ("Venezuela", "latin_america"),
    "BRA": ("Brésil", "brazil"), "CHN": ("Chine", "china"), "IND": ("Inde", "india"),
    "PHL": ("Philippines", "philippines"), "AFG": ("Afghanistan", "afghanistan"),
    "UKR": ("Ukraine", "eastern_europe"), "ROU": ("Roumanie", "eastern_europe"), "IRN": ("Iran", "iran"),
}  # fmt: skip


@dataclass(frozen=True)
class NamePool:
    """First names by sex, last names."""

    female: tuple[str, ...]
    male: tuple[str, ...]
    family: tuple[str, ...]


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split("|") if "|" in text else text.split())


POOLS = {key: NamePool(_split(f), _split(m), _split(n)) for key, (f, m, n) in _POOLS.items()}


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
