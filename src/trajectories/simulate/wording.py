"""The words of the deposits: columns, headers as partners write them, services, categories, levels, statuses."""

from __future__ import annotations

COLUMNS = (
    "code_organisme", "nom_organisme", "exercice", "trimestre", "no_dossier", "no_menage", "prenom", "nom",
    "date_naissance", "sexe", "pays_naissance", "categorie_immigration", "date_arrivee_quebec",
    "connaissance_francais", "scolarite", "taille_menage", "municipalite_residence", "code_municipal", "code_postal",
    "programme", "volet", "service", "date_service", "date_depart_montreal", "date_etablissement",
    "municipalite_destination", "motif_etablissement", "besoins", "emploi_obtenu", "date_emploi", "logement_trouve",
    "date_logement", "date_suivi", "statut_suivi", "date_depart_region", "destination_depart", "motif_depart",
    "remarques",
)  # fmt: skip
DATE_COLUMNS = tuple(c for c in COLUMNS if c.startswith("date_"))
OPTIONAL = (  # columns that some organisations do not keep
    "code_municipal", "code_postal", "scolarite", "volet", "motif_etablissement", "besoins", "date_logement",
    "logement_trouve", "remarques", "code_organisme", "nom_organisme",
)  # fmt: skip

# The full French label of each column; other spellings are made from it (habits.header).
LABELS = {
    "code_organisme": "Code d'organisme", "nom_organisme": "Nom de l'organisme", "exercice": "Exercice",
    "trimestre": "Trimestre", "no_dossier": "No dossier", "no_menage": "No ménage", "prenom": "Prénom", "nom": "Nom",
    "date_naissance": "Date de naissance", "sexe": "Sexe", "pays_naissance": "Pays de naissance",
    "categorie_immigration": "Catégorie d'immigration", "date_arrivee_quebec": "Date d'arrivée au Québec",
    "connaissance_francais": "Connaissance du français", "scolarite": "Scolarité",
    "taille_menage": "Taille du ménage", "municipalite_residence": "Municipalité de résidence",
    "code_municipal": "Code municipal", "code_postal": "Code postal", "programme": "Programme", "volet": "Volet",
    "service": "Service", "date_service": "Date du service", "date_depart_montreal": "Date de départ de Montréal",
    "date_etablissement": "Date d'établissement", "municipalite_destination": "Municipalité de destination",
    "motif_etablissement": "Motif d'établissement", "besoins": "Besoins", "emploi_obtenu": "Emploi obtenu",
    "date_emploi": "Date d'emploi", "logement_trouve": "Logement trouvé", "date_logement": "Date de logement",
    "date_suivi": "Date de suivi", "statut_suivi": "Statut du suivi",
    "date_depart_region": "Date de départ de la région",
    "destination_depart": "Destination de départ", "motif_depart": "Motif de départ", "remarques": "Remarques",
}  # fmt: skip
HEADER_SYNONYMS = {"sexe": "Genre", "no_dossier": "N° dossier", "prenom": "Prénoms", "nom": "Nom de famille"}

SERVICES = {
    "information": ("Information", "Séance d'information"),
    "exploratory_visit": ("Visite exploratoire", "Visites exploratoires"),
    "job_search": ("Recherche d'emploi", "Aide à l'emploi"),
    "housing_search": ("Recherche de logement", "Aide à la recherche de logement"),
    "reception": ("Accueil et installation", "Accueil"),
    "personal_support": ("Accompagnement personnalisé", "Accompagnement"),
    "objectif_integration": ("Objectif Intégration", "Séance Objectif Intégration"),
    "pairing": ("Jumelage", "Jumelage interculturel"),
    "francization": ("Francisation", "Cours de français"),
    "family_support": ("Soutien aux familles", "Soutien à la famille"),
    "post_settlement_follow_up": ("Suivi post-établissement", "Suivi"),
    "other": ("Autre", "Autre service"),
}
CATEGORIES = {
    "economic": ("Immigration économique", "Travailleur qualifié", "Économique"),
    "family": ("Regroupement familial", "Parrainage", "Regroupement familial"),
    "refugee": ("Réfugié", "Réfugiés et personnes en situation semblable", "Personne réfugiée"),
    "other_permanent": ("Autres immigrants", "Autre immigration permanente", "Motifs humanitaires"),
    "asylum_claimant": ("Demandeur d'asile", "Demandeurs d'asile", "Demande d'asile"),
    "temporary_worker": (
        "Travailleur temporaire",
        "Travailleurs étrangers temporaires",
        "Travailleur étranger temporaire",
    ),
    "student": ("Étudiant étranger", "Étudiants étrangers", "Étudiant"),
}
EDUCATION = {
    "none": ("Aucune", "Aucun"),
    "secondary": ("Secondaire", "Secondaire"),
    "college": ("Collégial", "Collégiale"),
    "university": ("Universitaire", "Université"),
}
FRENCH_WORDS = ("Aucune", "Débutant", "Intermédiaire", "Avancé")
STATUS = {
    "present": ("présent", "Présent", "PRÉSENT", "Présente"),
    "left": ("parti", "Parti", "PARTI", "Partie"),
    "not_reached": ("non joint", "Non rejoint", "injoignable", "Sans nouvelle"),
}
SEX = {"F": ("F", "Femme", "Féminin"), "M": ("M", "Homme", "Masculin"), "X": ("X", "X", "X")}
YES_NO = {True: ("O", "Oui", "OUI"), False: ("N", "Non", "NON")}
NEEDS = ("emploi", "logement", "francisation", "école", "garde", "santé", "transport", "réseau", "autre")
SETTLING_REASONS = ("famille", "emploi", "réseau", "études", "logement", "autre")
MONTHS = (
    "janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre",
    "décembre",
)  # fmt: skip
REMARKS = (
    "Bien installés", "À rappeler au printemps", "Cherche une garderie", "Permis de conduire en cours",
    "Très motivés par la région", "A demandé de l'aide pour l'école", "Référé par un ami",
)  # fmt: skip


def french_words(level: int) -> str:
    """Words for a level of the Échelle québécoise (1–4, 5–8, 9–12; 0: none)."""
    return FRENCH_WORDS[(level + 3) // 4]


def programme(fiscal_year: str, service: str) -> tuple[str, str]:
    """Programme and volet of a service: the volets change meaning between programmes (domain.md §1.1)."""
    if fiscal_year < "2019-2020":
        return "Réussir l'intégration", "V2" if service == "reception" else "V1"
    return "PASI", "V1" if service in ("personal_support", "objectif_integration", "information") else "V2"
