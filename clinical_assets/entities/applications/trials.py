"""Trials as tables for dbt: one row a criterion, from the study and from landing/trials/*.yaml; and what could not be read.

The matching itself is SQL: dbt_cohort/models/entities/applications/app_trial_criteria.sql.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from clinical_assets.storage.columns import column
from clinical_assets.study.load import StudyError, parse_block
from clinical_assets.study.trials import Trial

__all__ = ["TRIAL_CRITERIA", "create_trials_table", "read_trials", "trial_files"]

MAX_TRIAL_BYTES = 200_000

TRIAL_CRITERIA = pa.schema(
    [
        column("trial", pa.string(), "Name of the trial", nullable=False),
        column("title", pa.string(), "Its title"),
        column("source", pa.string(), "Where the criteria come from"),
        column("as_of", pa.date32(), "Day of matching; null: the last day of the data"),
        column("criterion_order", pa.int32(), "From 1, as written"),
        column("criterion", pa.string(), "Name of the criterion"),
        column("kind", pa.string(), "inclusion | exclusion"),
        column("fact", pa.string(), "condition | drug | procedure | lab | age | sex | note_field"),
        column("concepts", pa.list_(pa.int64()), "OMOP concepts asked for; empty where the fact has none"),
        column("include_descendants", pa.bool_(), "Descendants count as well"),
        column("comparator", pa.string(), "Of a laboratory value"),
        column("limit_value", pa.float64(), "What a laboratory value is compared with"),
        column("unit", pa.string(), "Its unit"),
        column("at_least", pa.int32(), "Least age"),
        column("at_most", pa.int32(), "Greatest age"),
        column("sex", pa.string(), "female | male"),
        column("note_field", pa.string(), "Field of the study"),
        column("within_days", pa.int32(), "Only facts of so many days before the day of matching"),
        column("no_record_means", pa.string(), "unknown | absent"),
        column(
            "problem",
            pa.string(),
            "Why a file cannot be used: it has a row per problem, and no criteria; null otherwise",
        ),
    ]
)


def trial_files(folder: Path) -> list[Path]:
    """Return the landed trial files in name order; none where the folder is absent."""
    return sorted(p for p in folder.glob("*.y*ml") if p.suffix in {".yaml", ".yml"} and not p.name.startswith("."))


def read_trials(folder: Path, others: Iterable[Trial] = ()) -> tuple[list[Trial], list[dict[str, Any]]]:
    """Read every landed trial. A file that cannot be used is a problem, and stops no other trial.

    Parameters
    ----------
    folder
        ``landing/trials``; may be absent.
    others
        Trials of the study; their names are taken.

    Returns
    -------
    list of Trial, list of dict
        The trials, and rows of TRIAL_CRITERIA that hold a problem.
    """
    trials, problems = list(others), []
    for path in trial_files(folder):
        try:
            if path.stat().st_size > MAX_TRIAL_BYTES:
                raise StudyError(path.name, [f"larger than {MAX_TRIAL_BYTES} bytes; a trial is a few kilobytes"])
            trial = parse_block(Trial, path.read_text(encoding="utf-8"), source=path.name)
        except UnicodeDecodeError as error:
            problems.append(_problem(path.name, f"not UTF-8 at byte {error.start}; save the file as UTF-8"))
            continue
        except StudyError as error:
            problems += [_problem(path.name, text) for text in error.problems]
            continue
        if trial.name in {other.name for other in trials}:
            problems.append(_problem(path.name, f"name: {trial.name!r} is taken by another trial; give it its own"))
            continue
        trials.append(trial)
    return trials, problems


def create_trials_table(
    connection: duckdb.DuckDBPyConnection, folder: Path, study_trials: Sequence[Mapping[str, Any]] = ()
) -> None:
    """Create ``landing.trial_criteria``, with problems of files among its rows; schema ``landing`` must exist.

    `study_trials` are the study's trials as JSON (the dbt var ``trials``).
    """
    trials, problems = read_trials(folder, [Trial.model_validate(dict(trial)) for trial in study_trials])
    rows = [*(row for trial in trials for row in _rows(trial)), *problems]
    connection.register("trials_arrow", pa.Table.from_pylist(rows, schema=TRIAL_CRITERIA))
    connection.execute("create or replace table landing.trial_criteria as select * from trials_arrow")
    connection.unregister("trials_arrow")


def _rows(trial: Trial) -> Iterable[dict[str, Any]]:
    for order, criterion in enumerate(trial.criteria, start=1):
        asked = criterion.condition or criterion.drug or criterion.procedure or criterion.lab
        lab, age = criterion.lab, criterion.age
        yield {
            "trial": trial.name,
            "title": trial.title,
            "source": trial.source,
            "as_of": trial.as_of,
            "criterion_order": order,
            "criterion": criterion.name,
            "kind": criterion.kind,
            "fact": criterion.fact,
            "concepts": list(asked.concepts) if asked else [],
            "include_descendants": asked.include_descendants if asked else False,
            "comparator": lab.comparator if lab else None,
            "limit_value": lab.value if lab else None,
            "unit": lab.unit if lab else None,
            "at_least": age.at_least if age else None,
            "at_most": age.at_most if age else None,
            "sex": criterion.sex,
            "note_field": criterion.note_field,
            "within_days": criterion.within_days,
            "no_record_means": criterion.no_record_means,
        }


def _problem(trial: str, problem: str) -> dict[str, Any]:
    return {"trial": trial, "problem": problem}
