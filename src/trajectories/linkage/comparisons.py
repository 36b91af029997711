"""How two identities are compared: each trait has levels of agreement, from the strongest down.

Each level is a condition in SQL on the columns of `identities` (`_l` and `_r` are the two sides) and on the similarity
of their names; the first that holds is the level of the pair. The weights of the levels are the model's (model.py). A
trait that one side does not state is no evidence either way. Less precise values (an initial, a family name alone, a
year of birth) are traits of their own, so that how often an organisation types them changes no other weight.
"""

from __future__ import annotations

from dataclasses import dataclass

# Functions the conditions share. `within`: the words of one name are all in the other (« Amina » and « Amina Sara »).
MACROS = """
CREATE OR REPLACE MACRO within(a, b) AS len(a) > 0 AND len(b) > 0 AND (list_has_all(a, b) OR list_has_all(b, a));
CREATE OR REPLACE MACRO alike(a, b, sounds_a, sounds_b) AS
    CASE WHEN jaro_winkler_similarity(a, b) >= 0.9 THEN true
         -- one letter apart; the first condition only spares the slow distance
         WHEN jaro_winkler_similarity(a, b) >= 0.8 AND len(a) > 3 AND len(b) > 3 AND damerau_levenshtein(a, b) = 1
             THEN true
         ELSE coalesce(within(sounds_a, sounds_b), false) END;
CREATE OR REPLACE MACRO one_part_differs(a, b) AS
    (a[:4] = b[:4])::INT + (a[5:6] = b[5:6])::INT + (a[7:] = b[7:])::INT = 2;
CREATE OR REPLACE MACRO days_between(a, b) AS abs(datediff('day', a, b));
"""
# Conditions that several levels share: computed once per pair, as columns.
LIKENESSES = {
    "given_alike": "alike(given_l, given_r, given_sounds_l, given_sounds_r)",
    "family_alike": "alike(family_l, family_r, family_sounds_l, family_sounds_r)",
    "turned": "alike(given_l, family_r, given_sounds_l, family_sounds_r) AND "
    "alike(family_l, given_r, family_sounds_l, given_sounds_r)",
}
# The family name of one is that of another member of the other's household: a spouse's.
_SPOUSE = "(within(family_sounds_l, household_sounds_r) OR within(family_sounds_r, household_sounds_l))"
_LETTER = "given_l[1] = given_r[1]"
# « Manu » of « Emmanuel »: the beginning of one given name is in the other.
_SHORT_FORM = f"({_LETTER} OR contains(given_l, given_r[:3]) OR contains(given_r, given_l[:3]))"
_PART_MISSING = "given_l IS NULL OR given_r IS NULL OR family_l IS NULL OR family_r IS NULL"
_ANY_INITIALS = "initials_l OR initials_r"
_ANY_VAGUE = "birth_vague_l OR birth_vague_r"
_ONE_ORGANISATION = "organisation_l = organisation_r"


@dataclass(frozen=True)
class Level:
    """
    One level: its name (in the model, tables and figures), its condition (None: all other pairs), and the column whose
    rare values weigh more where both sides share one.
    """

    name: str
    condition: str | None
    rare: str | None = None


@dataclass(frozen=True)
class Trait:
    """One trait: the condition under which it is missing, and its levels from the strongest down."""

    name: str
    missing: str
    levels: tuple[Level, ...]


def _missing(*columns: str) -> str:
    return " OR ".join(f"{c}_{side} IS NULL" for c in columns for side in "lr")


TRAITS = (
    Trait(
        "name",
        f"{_PART_MISSING} OR {_ANY_INITIALS}",
        (
            Level("same", "name_l = name_r", "name"),
            Level("shortened", "given_alike AND family_alike AND within(given_words_l, given_words_r) "
                  "AND within(family_words_l, family_words_r)", "family"),
            Level("alike", "(given_alike AND family_alike) OR turned", "family"),
            Level("spouses_name", f"given_alike AND {_SPOUSE}", "given"),
            Level("given_only", "given_alike", "given"),
            Level("family_and_short_form", f"family_alike AND {_SHORT_FORM}", "family"),
            Level("family_only", "family_alike", "family"),
            Level("one_word", "list_has_any(name_sounds_l, name_sounds_r)"),
            Level("different", None),
        ),
    ),
    Trait(
        "initials",
        f"{_PART_MISSING} OR NOT ({_ANY_INITIALS})",
        (
            Level("same", f"{_LETTER} AND family_l = family_r", "family"),
            Level("alike", f"{_LETTER} AND family_alike"),
            Level("letter_only", _LETTER),
            Level("family_only", "family_alike", "family"),
            Level("different", None),
        ),
    ),
    Trait(
        "part_of_name",
        f"name_l IS NULL OR name_r IS NULL OR NOT ({_PART_MISSING})",
        (
            Level("same", "family_l = family_r", "family"),
            Level("alike", "within(name_sounds_l, name_sounds_r)"),
            Level("one_word", "list_has_any(name_sounds_l, name_sounds_r)"),
            Level("letter", f"({_ANY_INITIALS}) AND {_LETTER}"),
            Level("different", None),
        ),
    ),
    Trait(
        "birth",
        f"{_missing('birth_year')} OR {_ANY_VAGUE}",
        (
            Level("same_day", "birth_l = birth_r"),
            Level("day_and_month_exchanged", "birth_l = birth_swapped_r"),
            Level("one_part_differs", "one_part_differs(birth_l, birth_r)"),
            Level("same_year", "birth_year_l = birth_year_r"),
            Level("near_year", "abs(CAST(birth_year_l AS INTEGER) - CAST(birth_year_r AS INTEGER)) <= 3"),
            Level("different", None),
        ),
    ),
    Trait(
        "birth_year",
        f"{_missing('birth_year')} OR NOT ({_ANY_VAGUE})",
        (
            Level("same", "birth_year_l = birth_year_r"),
            Level("one_apart", "abs(CAST(birth_year_l AS INTEGER) - CAST(birth_year_r AS INTEGER)) = 1"),
            Level("near", "abs(CAST(birth_year_l AS INTEGER) - CAST(birth_year_r AS INTEGER)) <= 3"),
            Level("different", None),
        ),
    ),
    Trait("sex", _missing("sex"), (Level("same", "sex_l = sex_r"), Level("different", None))),
    Trait(
        "country",
        f"{_missing('country')} OR family_alike",
        (Level("same", "country_l = country_r", "country"), Level("different", None)),
    ),
    # a name is evidence of the country: between two who share a name the country adds little
    Trait(
        "country_of_namesakes",
        f"{_missing('country')} OR NOT family_alike",
        (Level("same", "country_l = country_r"), Level("different", None)),
    ),
    Trait(
        "arrival",
        _missing("arrival_earliest", "arrival_latest"),
        (
            Level("same_day", "arrival_l = arrival_r"),
            Level("compatible", "arrival_earliest_l <= arrival_latest_r AND arrival_earliest_r <= arrival_latest_l"),
            Level("within_two_months", "days_between(arrival_earliest_l, arrival_earliest_r) <= 62"),
            Level("different", None),
        ),
    ),
    Trait(
        "category",
        _missing("category"),
        (
            Level("same", "category_l = category_r"),
            # students, temporary workers and asylum claimants later change category
            Level("status_changed", "(category_l IN ('student', 'temporary_worker', 'asylum_claimant')) <> "
                  "(category_r IN ('student', 'temporary_worker', 'asylum_claimant'))"),
            Level("different", None),
        ),
    ),
    Trait(
        "size",
        _missing("size"),
        (Level("same", "size_l = size_r"), Level("one_apart", "abs(size_l - size_r) = 1"), Level("different", None)),
    ),
    Trait(
        "places",
        f"{_ONE_ORGANISATION} OR len(regions_l) = 0 OR len(regions_r) = 0",
        (
            Level("same_town", "list_has_any(towns_l, towns_r)"),
            Level("same_region", "list_has_any(regions_l, regions_r)"),
            Level("different", None),
        ),
    ),
    Trait(
        "postal_code",
        f"{_ONE_ORGANISATION} OR len(postal_codes_l) = 0 OR len(postal_codes_r) = 0",
        (Level("same", "list_has_any(postal_codes_l, postal_codes_r)"), Level("different", None)),
    ),
    # an organisation that changes its code keeps its file numbers
    Trait(
        "file_number",
        f"{_ONE_ORGANISATION} OR {_missing('number')}",
        (Level("same", "number_l = number_r"), Level("different", None)),
    ),
    Trait(
        "use",
        f"NOT ({_ONE_ORGANISATION} AND numbered_l AND numbered_r) OR len(quarters_l) = 0 OR len(quarters_r) = 0",
        (
            Level("other_years", "NOT list_has_any(years_l, years_r)"),
            Level("other_quarters", "NOT list_has_any(quarters_l, quarters_r)"),
            Level("at_once", None),
        ),
    ),
)  # fmt: skip

# Compared after the other traits are weighed (model.py): do other members of the two households match?
COMPANIONS = Trait(
    "companions",
    "",
    (Level("linked", None), Level("alike", None), Level("unknown", None), Level("not_linked", None)),
)
