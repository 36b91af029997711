"""The tables of a build → every estimate of a run, as tidy tables below `<reports>/sensitive/tables`.

`analyse` follows the results section, one call for each room. Nothing here may be shown before `protect`.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path

import pandas as pd

from .. import tables
from ..exceptions import TooFewError
from ..folders import private_folder, replaced
from ..linkage import match_weights
from ..provenance import READ, analysed_from, description, linkage_model, refuse_mixture, same_study, stamp_of_analysis
from ..retention import estimate
from ..retention.assumptions import odds_curve
from ..retention.course import course
from ..retention.linkage_sensitivity import linkage_sensitivity, moved_records
from ..retention.main_fits import MainFit, Mapper, main_fits
from ..retention.sensitivity_settings import panel, range_of
from ..stays.cohort import GIVEN, Cohort
from ..stays.contacts import last_deposits
from ..stays.spells import cutoff_of
from ..stays.subsample import some_people, subsample
from ..study import Study
from ..tables import PROVINCE
from .comparison import balance, compare, funnel, overlap, retention_by_period, shrunken
from .imputation import completed_stays, left_out
from .models import fit_models, services_in_stays
from .portrait import DECISIONS_READ, PORTRAIT_READS, decisions, types_by_place, whole_portrait
from .results import drop_others, write_results
from .services.association import associations, control_services
from .services.leads import ranked_leads
from .services.tables import SERVICES_READ, describing_tables
from .typology import typology

# What is compared, beside the groups of regions that the study may name.
COMPARED = ("period", "immigration_category", "household_type", "region")
# Odds of the regions' curves; the province's are finer (assumptions.GRID).
COARSE = (0.25, 0.5, 1.0, 2.0, 4.0)
PANEL_HORIZONS = (12, 24)
# The tables of a build that are read are inputs of the analysis (provenance.analysed_from).
# Columns read for the services received in a stay and before it.
RECEIVED_READ = {
    "records": ("record_id", "organisation_zone", "service", "service_date_earliest", "service_date_latest"),
    "persons": ("record_id", "person_id"),
}


def analyse(
    study: Study,
    *,
    progress: Callable[[str], None] | None = None,
    force: bool = False,
    executor: Executor | None = None,
) -> Path:
    """
    Tables to estimates: everything a report shows, before protection, in `<reports>/sensitive/tables`.

    Writes each table as parquet and CSV, `columns.csv` (what every column means; results.py), `accounting.csv` (what
    became of the rows of each file) and `run.json` (the settings). Where none of their inputs has changed and `force`
    is false, they are left as they are. An `executor` fits the groups; the estimates are the same.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    StaleTableError
        The build is missing, not whole, of another version, or was made for another perimeter, scope or cut-off.
    """
    say = progress or (lambda _: None)
    notes = same_study(study)
    folder = private_folder(private_folder(study.paths.reports / "sensitive") / "tables")
    origin = analysed_from(study, notes)
    refuse_mixture(study.paths.derived, origin["tables"])
    stamp = stamp_of_analysis(folder)
    if not force and stamp.is_current(origin):
        say("estimates (unchanged)")
        return folder
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        results = estimates_of(study, pd.Timestamp(notes["cutoff"]), say, executor)
    written = write_results(results, folder)
    with replaced(folder / "accounting.csv") as scratch:
        tables.load(tables.FILES, study.paths.derived).to_csv(scratch, index=False)
    with replaced(folder / "run.json") as scratch:
        run_description = description(
            study, notes, stays=len(tables.load(tables.COHORT, study.paths.derived, columns=["episode"]))
        )
        scratch.write_text(json.dumps(run_description, indent=1, sort_keys=True), encoding="utf-8")
    written += ["accounting.csv", "run.json"]
    drop_others(folder, written)
    stamp.write(origin, written)
    return folder


def estimates_of(
    study: Study, cutoff: pd.Timestamp, say: Callable[[str], None] = lambda _: None, executor: Executor | None = None
) -> dict[str, pd.DataFrame]:
    """Every table of an analysis, by name, from the build in `study.paths.derived`; `cutoff` is that of the build."""
    built = _TablesOnDisk(study.paths.derived)
    results: dict[str, pd.DataFrame] = {}

    say("portrait")
    results |= _portrait(built, cutoff, study)
    say("services")
    results |= _services(built, study)
    say("retention")
    mapper = map if executor is None else executor.map
    cohort, contacts = built["cohort"], built["contacts"]
    fits = main_fits(cohort, contacts, study=study, mapper=mapper)
    estimates = estimate(cohort, contacts, study=study, fits=fits, mapper=mapper)
    results |= {name: getattr(estimates, name) for name in type(estimates).__dataclass_fields__}
    say("course of the stays")
    results |= _course(fits, built, study, mapper)
    say("comparison")
    results["periods"] = _by_group(functools.partial(retention_by_period, cutoff=cutoff, study=study), fits, mapper)
    del fits  # frees gigabytes with a million persons
    sample, sample_contacts = subsample(cohort, contacts, seed=study.seed)
    results |= _comparison(sample, sample_contacts, estimates.retention, study)
    say("models")
    completed, (services, before) = (
        completed_stays(sample, sample_contacts, study=study),
        _services_of_stays(sample, built),
    )
    results["model_stays"] = left_out(sample, completed, study=study)
    models = fit_models(completed, services=services, study=study)
    results |= {"coefficients": models.coefficients, "proportional_hazards": models.tests, "fits": models.fits}
    say("services that go with staying")
    results["associations"] = associations(completed, services, contacts=sample_contacts, before=before, study=study)
    del completed, services, before, sample, sample_contacts
    say("types of trajectories")
    results |= _typology(built["spells"], cohort, contacts, study)
    if "typology_members" in results:
        types = types_by_place(results["typology_members"], study=study)
        results["counts"] = pd.concat([results["counts"], types], ignore_index=True)
    del cohort, contacts
    say("sensitivity")
    results |= _sensitivity(built, estimates.retention, study, executor)
    say("leads")
    results["leads"] = ranked_leads(results, line=study.leads.line)
    return results


class _TablesOnDisk:
    """The tables of a build, read on request and not cached."""

    def __init__(self, folder: Path):
        self.folder = folder

    def __getitem__(self, name: str) -> pd.DataFrame:
        return self.of(name, read={})[0]

    def of(self, *names: str, read: Mapping[str, Iterable[str]]) -> list[pd.DataFrame]:
        """Tables in the order of `names`, each with the columns in `read`, or all columns where it has none."""
        if unknown := set(names).difference(READ):  # a change of it would not be noticed (provenance.py)
            raise KeyError(", ".join(sorted(unknown)))
        return [tables.load(tables.TABLES[name], self.folder, columns=read.get(name)) for name in names]


def _portrait(built: _TablesOnDisk, cutoff: pd.Timestamp, study: Study) -> dict[str, pd.DataFrame]:
    """The portrait tables, the decisions on rows and the match weights of the linkage."""
    names = ("cohort", "contacts", "spells", "moves", "observations", "records", "persons")
    portrait = whole_portrait(*built.of(*names, read=PORTRAIT_READS), cutoff=cutoff, study=study)
    names = ("records", "persons", "links", "conflicts")
    decided = decisions(*built.of(*names, read=DECISIONS_READ), study=study)
    rows = pd.read_parquet(study.paths.derived / "accounting.parquet")
    portrait_tables = {name: getattr(portrait, name) for name in type(portrait).__dataclass_fields__}
    portrait_tables["counts"] = pd.concat([portrait.counts, decided, rows], ignore_index=True)
    return portrait_tables | {"weights": match_weights(linkage_model(study))}


def _services(built: _TablesOnDisk, study: Study) -> dict[str, pd.DataFrame]:
    """Services households receive, transfers from the metropole to a region, and gaps."""
    names = ("cohort", "contacts", "records", "persons")
    return describing_tables(*built.of(*names, read=SERVICES_READ), issues=built["issues"], study=study)


def _by_group(work: Callable[..., pd.DataFrame], fits: dict[str, MainFit], mapper: Mapper) -> pd.DataFrame:
    """The results of each group alone, in one table."""
    frames = list(mapper(work, ({group: fit} for group, fit in fits.items())))
    return pd.concat(frames, ignore_index=True) if frames else work({})


def _services_of_stays(cohort: pd.DataFrame, built: _TablesOnDisk) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Services received in the region of each stay, and before it in the metropole."""
    records, persons = built.of("records", "persons", read=RECEIVED_READ)
    return services_in_stays(cohort, records, persons), control_services(cohort, records, persons)


def _course(fits: dict[str, MainFit], built: _TablesOnDisk, study: Study, mapper: Mapper) -> dict[str, pd.DataFrame]:
    """The measures beyond the retention curve, and the curve over a range of assumptions."""
    names = ("cohort", "contacts", "spells", "moves")
    measures = course(*(built[name] for name in names), study=study, fits=fits)
    province = {group: fit for group, fit in fits.items() if group == PROVINCE}
    others = {group: fit for group, fit in fits.items() if group != PROVINCE}
    coarse = functools.partial(odds_curve, study=study, gone=COARSE, heard=COARSE)
    odds = [odds_curve(province, study=study), _by_group(coarse, others, mapper)]
    return {
        "restricted_time": measures.restricted_time,
        "moves_per_person": measures.moves,
        "occupation": measures.occupation,
        "settled": measures.settled,
        "odds": pd.concat(odds, ignore_index=True),
    }


def _comparison(
    cohort: pd.DataFrame, contacts: pd.DataFrame, rates: pd.DataFrame, study: Study
) -> dict[str, pd.DataFrame]:
    """Groups as if their persons were alike; small regions drawn towards the province."""
    by = [*COMPARED, *(["groups"] if study.groups else [])]
    results = {"shrunken": shrunken(rates, study=study), "funnel": funnel(rates, study=study)}
    try:
        results["comparison"] = compare(cohort, contacts, by=by, study=study)
    except TooFewError:
        return results  # no two groups of enough stays: there is nothing to say
    return results | {"overlap": overlap(cohort, by=by, study=study), "balance": balance(cohort, by=by, study=study)}


def _typology(
    spells: pd.DataFrame, cohort: pd.DataFrame, contacts: pd.DataFrame, study: Study
) -> dict[str, pd.DataFrame]:
    """Types of trajectories, where anybody is observed for long enough."""
    try:
        types = typology(spells, cohort, study=study, contacts=contacts)
    except TooFewError:
        return {}
    return {f"typology_{name}": getattr(types, name) for name in type(types).__dataclass_fields__}


def _sensitivity(
    built: _TablesOnDisk, rates: pd.DataFrame, study: Study, executor: Executor | None
) -> dict[str, pd.DataFrame]:
    """The estimate under other settings than the study's."""
    person_tables = built.of("persons", "alternatives", read={"persons": tables.WHOSE})
    chosen = moved_records(*person_tables), some_people(*person_tables, seed=study.seed)
    chosen_persons = [_of_records(person_tables, records) for records in chosen]
    del person_tables  # before the records are read: three gigabytes each with a million persons
    (records,) = built.of("records", read={"records": GIVEN})
    study, deposits = replace(study, cutoff=cutoff_of(study, records).date()), last_deposits(records)
    changed_inputs, sample_inputs = (
        (*_of_records([records], of), *theirs) for of, theirs in zip(chosen, chosen_persons, strict=True)
    )
    complete = len(sample_inputs[0]) == len(records)
    del records, chosen_persons
    study_cohort = Cohort(built["cohort"], built["contacts"])
    linkage = linkage_sensitivity(*changed_inputs, study=study, cohort=study_cohort, retention=rates, deposits=deposits)
    del study_cohort
    reusable_linkage = linkage if complete and set(PANEL_HORIZONS) <= set(study.horizons) else None
    settings = panel(*sample_inputs, study=study, linkage=reusable_linkage, executor=executor, deposits=deposits)
    return {"sensitivity": linkage, "panel": settings, "panel_range": range_of(settings)}


def _of_records(everyone: Sequence[pd.DataFrame], chosen: pd.Series) -> Sequence[pd.DataFrame]:
    """The rows of the chosen records in each table; all rows where none is chosen, to keep the thresholds."""
    if chosen.all() or not chosen.any():
        return everyone
    return tuple(frame[frame["record_id"].isin(chosen.index[chosen])].reset_index(drop=True) for frame in everyone)
