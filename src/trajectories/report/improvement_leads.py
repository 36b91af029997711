"""Improvement leads in words (lever 2.1), as a table for further work."""

from __future__ import annotations

import pandas as pd

from ..analysis.analyse import analyse
from ..disclosure.rules import rounded
from ..study import Study

PARTS = ("lead", "check", "caveat")


def improvement_leads(study: Study) -> pd.DataFrame:
    """
    Where programmes and services may be improved: most households at stake first, what is to watch last.

    Parameters
    ----------
    study : Study
        A build has to exist; the analysis is made where it is not, or is older.

    Returns
    -------
    DataFrame
        What `services.leads.ranked_leads` returns, with

        - lead_fr, lead_en: a sentence without numbers; check_fr, check_en: what would check it; caveat_fr, caveat_en
        - households: rounded to the study's base, missing where fewer than its threshold

        Other numbers are exact: a page shows them through `protect` only.

    Raises
    ------
    StaleTableError
        No build exists, or it is of other settings.

    Examples
    --------
    >>> leads = improvement_leads(Study.read("study.toml"))
    >>> leads["lead_en"].iloc[0].split(":")[0]
    'Answer the need “School”'
    """
    leads = pd.read_parquet(analyse(study) / "leads.parquet")
    households = leads["households"].astype("Int64")
    base = pd.Series(rounded(households.fillna(0), study.disclosure.round), index=leads.index).astype("Int64")
    leads = leads.assign(households=base.where(households >= study.disclosure.threshold))
    return with_sentences(leads)


def with_sentences(leads: pd.DataFrame) -> pd.DataFrame:
    """
    Leads with their sentences, in French and English.

    Examples
    --------
    >>> leads = pd.DataFrame({"rule": ["follow_up_is_missed", None], "subject": ["follow_up", None]})
    >>> with_sentences(leads)["lead_en"].tolist()
    ['Hold the scheduled contacts: too many were not attempted when due', None]
    """
    from .sections.leads import lead_text  # loaded only when needed: the catalogues of reports
    from .words import words

    columns = {}
    for language in ("fr", "en"):
        w = words(language)
        for part in PARTS:
            columns[f"{part}_{language}"] = [
                None if pd.isna(row["rule"]) else lead_text(row, part, w) for _, row in leads.iterrows()
            ]
    return leads.assign(**{name: pd.Series(texts, index=leads.index, dtype=object) for name, texts in columns.items()})
