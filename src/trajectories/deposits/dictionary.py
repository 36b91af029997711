"""The words that partners read: columns of the contract (`dictionary.toml`) and short sentences (`french.toml`)."""

from __future__ import annotations

import functools
import tomllib
from importlib import resources

from .crosswalks import LIST_OF, Crosswalk


@functools.cache
def dictionary() -> dict[str, dict]:
    """Meaning, accepted values and examples of each column of the template, by canonical name and in order."""
    return tomllib.loads(resources.files(__package__).joinpath("dictionary.toml").read_text(encoding="utf-8"))


@functools.cache
def french(section: str) -> dict:
    """
    The short texts of a section of `french.toml`.

    Examples
    --------
    >>> french("where")["row"].format(references="4:6")
    'ligne 4:6'
    """
    return tomllib.loads(resources.files(__package__).joinpath("french.toml").read_text(encoding="utf-8"))[section]


def choices(column: str, crosswalk: Crosswalk) -> list[str]:
    """
    The words that a column draws from, as people are shown them; empty where it takes any.

    Examples
    --------
    >>> from .crosswalks import load_crosswalk
    >>> choices("job_found", load_crosswalk()), choices("residence", load_crosswalk())
    (['O', 'N'], [])
    """
    said = dictionary().get(column, {})
    if "choices" in said or "accepted" in said:
        return list(said.get("choices", ()))
    return list(crosswalk.labels.get(LIST_OF.get(column, column), {}).values())


def accepted(column: str, crosswalk: Crosswalk) -> str:
    """
    What a column accepts, in French; empty for a column that is not of the contract.

    Examples
    --------
    >>> from .crosswalks import load_crosswalk
    >>> accepted("french", load_crosswalk()), accepted("quarter", load_crosswalk())
    ('aucune, débutant, intermédiaire, avancé, ou un niveau de 0 à 12', 'T1 à T4')
    """
    said = dictionary().get(column, {})
    return said.get("accepted") or ", ".join([*choices(column, crosswalk), *filter(None, [said.get("more")])])
