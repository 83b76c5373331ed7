"""The study's parameters as dbt vars: validated by the study model, written once, named as dbt_project.yml names them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import duckdb

from clinical_assets.study.applications import Applications
from clinical_assets.study.model import Study
from clinical_assets.study.risk import ConceptChoice, RiskQuestion, RiskWindows

__all__ = ["create_parameters_table", "dbt_vars", "parameters_digest"]


def dbt_vars(study: Study) -> dict[str, Any]:
    """Return the value of every var that dbt_cohort declares, from the study. Dates are ISO texts, absent ones empty."""
    rules, note, publication = study.cohort, study.latest_note, study.publication
    return {
        "minimum_age": rules.minimum_age,
        "prior_observation_days": rules.prior_observation_days,
        "imatinib_within_days": rules.imatinib_within_days,
        "era_gap_days": rules.era_gap_days,
        "follow_up_days": rules.follow_up_days,
        "data_until": rules.data_until.isoformat() if rules.data_until else "",
        "evidence_field": rules.evidence_field or "",
        "latest_note_types": list(note.note_types),
        "latest_note_window": note.window,
        "latest_note_min_chars": note.min_chars,
        "label_scope": study.label_scope,
        "small_cell_threshold": publication.small_cell_threshold,
        "top_age": publication.top_age,
        **_risk_vars(study.risk),
        **_application_vars(study.applications),
    }


def _application_vars(uses: Applications) -> dict[str, Any]:
    """What the tables of applications take from the study; a row (name, role, concept_id) per concept of a treatment."""
    return {
        "safety_event_within_days": uses.safety.event_within_days,
        "safety_minimum_reports": uses.safety.minimum_reports,
        "prevalence_years": uses.prevalence.years,
        "prevalence_conditions": uses.prevalence.conditions,
        "trend_months": uses.trends.months,
        "trend_baseline_months": uses.trends.baseline_months,
        "trend_minimum_expected": uses.trends.minimum_expected,
        "trend_false_discovery_rate": uses.trends.false_discovery_rate,
        "treatments": [
            [treatment.name, role, concept]
            for treatment in uses.treatments
            for role, concepts in (("condition", treatment.conditions), ("drug", treatment.drugs))
            for concept in concepts
        ],
        "trials": [trial.model_dump(mode="json") for trial in uses.trials],
    }


def _risk_vars(question: RiskQuestion | None) -> dict[str, Any]:
    """The risk question: its windows, and a row (role, name, concept_id, include_descendants, value or null) per concept."""
    windows = question.windows if question else RiskWindows()
    choices: list[tuple[str, str, ConceptChoice]] = []
    if question:
        single = {
            "index": question.index,
            "outcome": question.outcome,
            "severe": question.severe,
            "genetic_score": question.genetic_score,
        }
        choices = [(role, role, choice) for role, choice in single.items() if choice]
        choices += [("exclusion", name, choice) for name, choice in sorted(question.exclusions.items())]
    return {
        "risk_look_back_days": windows.look_back_days,
        "risk_buffer_days": windows.buffer_days,
        "risk_follow_up_days": windows.follow_up_days,
        "risk_age_above": windows.age_above,
        "risk_age_up_to": windows.age_up_to,
        "risk_exclusions": windows.exclusions,
        "risk_concepts": [
            [role, name, concept, choice.include_descendants, value]
            for role, name, choice in choices
            for concept in choice.concepts
            for value in (*choice.values, *([] if choice.values else [None]))
        ],
    }


def parameters_digest(variables: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the parameters: the data version of the study, as far as the warehouse depends on it."""
    return hashlib.sha256(json.dumps(variables, sort_keys=True).encode()).hexdigest()


def create_parameters_table(connection: duckdb.DuckDBPyConnection, variables: Mapping[str, Any]) -> None:
    """Create ``landing.parameters``, one row a parameter (name, value as JSON); schema ``landing`` must exist."""
    connection.execute("create or replace table landing.parameters (name varchar, value varchar)")
    rows = [(name, json.dumps(value)) for name, value in sorted(variables.items())]
    connection.executemany("insert into landing.parameters values (?, ?)", rows)
