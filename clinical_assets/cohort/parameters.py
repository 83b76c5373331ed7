"""The study's parameters as dbt vars: validated by the study model, written once, named as dbt_project.yml names them."""

from __future__ import annotations

from typing import Any

from clinical_assets.study.model import Study

__all__ = ["dbt_vars"]


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
    }
