"""The demo hospital as a whole: built in memory from a configuration, with its answer key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from clinical_assets.synthetic import truth
from clinical_assets.synthetic.batches import BAD_ROWS_BATCH, BadRow, plan_bad_rows, split_notes
from clinical_assets.synthetic.chart import Chart
from clinical_assets.synthetic.cml import build_cml
from clinical_assets.synthetic.config import HospitalConfig
from clinical_assets.synthetic.controls import add_background, build_control
from clinical_assets.synthetic.gold import annotation_tables, text_digest
from clinical_assets.synthetic.lupus import build_ana_positive
from clinical_assets.synthetic.malignancy import build_other_haematology
from clinical_assets.synthetic.note_writer import Landed, write_notes
from clinical_assets.synthetic.obstetrics import build_delivery
from clinical_assets.synthetic.persons import CML_ARCHETYPES, new_person
from clinical_assets.synthetic.tables import omop_tables

__all__ = ["Hospital", "build_hospital", "build_person", "truth_table"]


@dataclass(frozen=True)
class Hospital:
    """A synthetic hospital.

    Attributes:
        config: what it was made from.
        omop: OMOP CDM v5.4 tables by name, every column of the standard.
        note_batches: batch name -> delivered notes that can be used (OMOP note columns plus ``site``).
        bad_rows: rows planted in a batch's file besides those, with the reason why each must be refused.
        annotations: concept_labels, entities and reference_summaries by name.
        truth: the answer key: persons, rules, cml, lupus, placenta, notes, bad_rows (never written to landing).
        parameters: weights and windows of the lupus and placenta models.
    """

    config: HospitalConfig
    omop: dict[str, pa.Table]
    note_batches: dict[str, pa.Table]
    bad_rows: tuple[BadRow, ...]
    annotations: dict[str, pa.Table]
    truth: dict[str, pa.Table]
    parameters: dict[str, dict[str, float]]


_SPECIAL: dict[str, Callable[[Chart], None]] = {
    **dict.fromkeys(CML_ARCHETYPES, build_cml),
    "ana_positive": build_ana_positive,
    "delivery": build_delivery,
    "control": build_control,
}


def build_person(config: HospitalConfig, index: int) -> Chart:
    """Return the chart of the person with that index."""
    chart = new_person(config, index)
    special = _SPECIAL.get(chart.archetype)
    if special is not None:
        special(chart)
    elif not build_other_haematology(chart):
        raise LookupError(f"no history for archetype {chart.archetype}")
    add_background(chart)
    return chart


def _note_truth(batches: dict[str, tuple[pa.Table, list[Landed]]], archetypes: dict[int, str]) -> pa.Table:
    rows = [(name, note) for name, (_, notes) in batches.items() for note in notes]
    return pa.table(
        {
            "note_id": pa.array([note.note_id for _, note in rows], pa.int64()),
            "person_id": pa.array([note.person_id for _, note in rows], pa.int64()),
            "archetype": pa.array([archetypes[note.person_id] for _, note in rows], pa.string()),
            "batch": pa.array([name for name, _ in rows], pa.string()),
            "status": pa.array([note.status for _, note in rows], pa.string()),
            "text_sha256": pa.array([text_digest(note.text) for _, note in rows], pa.string()),
        }
    )


def _bad_row_truth(bad: Sequence[BadRow]) -> pa.Table:
    return pa.table(
        {
            "batch": pa.array([row.batch for row in bad], pa.string()),
            "row_number": pa.array([row.row_number for row in bad], pa.int64()),
            "reason": pa.array([row.reason for row in bad], pa.string()),
            "note_id": pa.array([row.cells["note_id"].decode() for row in bad], pa.string()),
        }
    )


def build_hospital(config: HospitalConfig | None = None) -> Hospital:
    """Build the demo hospital of a configuration; the same configuration gives the same rows."""
    settings = config if config is not None else HospitalConfig()
    charts = [build_person(settings, index) for index in range(settings.n_persons)]
    notes = [note for chart in charts for note in write_notes(chart, settings.seed)]
    batches = split_notes(notes)
    bad = plan_bad_rows(batches[BAD_ROWS_BATCH][1], settings)
    return Hospital(
        config=settings,
        omop=omop_tables(charts, settings),
        note_batches={name: table for name, (table, _) in batches.items()},
        bad_rows=tuple(bad),
        annotations=annotation_tables(notes),
        truth={
            "persons": truth.person_table(charts),
            "rules": truth.rules_table(charts),
            "cml": truth.cml_table(charts),
            "lupus": truth.lupus_table(charts),
            "placenta": truth.placenta_table(charts),
            "notes": _note_truth(batches, {chart.person_id: chart.archetype for chart in charts}),
            "bad_rows": _bad_row_truth(bad),
        },
        parameters=truth.parameters(),
    )


def truth_table(hospital: Hospital, name: str = "rules") -> pa.Table:
    """Return a table of the answer key: ``rules`` has one row a person a rule; ``Hospital.truth`` names the others."""
    if name not in hospital.truth:
        raise KeyError(f"no truth table {name!r}; there are {sorted(hospital.truth)}")
    return hospital.truth[name]
