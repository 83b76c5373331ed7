"""OMOP CDM v5.4 tables that the demo hospital fills, as Arrow schemas with every column of the standard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

__all__ = ["EPOCH", "NOTE_DELIVERY", "OMOP", "assemble"]

# Ordinal of 1970-01-01: Arrow's date32 counts days from there, this package counts proleptic ordinals.
EPOCH = 719_163

_TYPES = {
    "i": pa.int64(),
    "c": pa.int32(),
    "s": pa.string(),
    "f": pa.float64(),
    "d": pa.date32(),
    "t": pa.timestamp("us"),
}


def _schema(spec: str) -> pa.Schema:
    """Parse ``name:type name:type! …``; ``!`` marks a column that may not be null."""
    fields = []
    for part in spec.split():
        name, _, kind = part.partition(":")
        fields.append(pa.field(name, _TYPES[kind[0]], nullable=not kind.endswith("!")))
    return pa.schema(fields)


OMOP: dict[str, pa.Schema] = {
    "person": _schema(
        "person_id:i! gender_concept_id:c! year_of_birth:c! month_of_birth:c day_of_birth:c birth_datetime:t "
        "race_concept_id:c! ethnicity_concept_id:c! location_id:i provider_id:i care_site_id:i "
        "person_source_value:s gender_source_value:s gender_source_concept_id:c race_source_value:s "
        "race_source_concept_id:c ethnicity_source_value:s ethnicity_source_concept_id:c"
    ),
    "observation_period": _schema(
        "observation_period_id:i! person_id:i! observation_period_start_date:d! observation_period_end_date:d! "
        "period_type_concept_id:c!"
    ),
    "visit_occurrence": _schema(
        "visit_occurrence_id:i! person_id:i! visit_concept_id:c! visit_start_date:d! visit_start_datetime:t "
        "visit_end_date:d! visit_end_datetime:t visit_type_concept_id:c! provider_id:i care_site_id:i "
        "visit_source_value:s visit_source_concept_id:c admitted_from_concept_id:c admitted_from_source_value:s "
        "discharged_to_concept_id:c discharged_to_source_value:s preceding_visit_occurrence_id:i"
    ),
    "condition_occurrence": _schema(
        "condition_occurrence_id:i! person_id:i! condition_concept_id:c! condition_start_date:d! "
        "condition_start_datetime:t condition_end_date:d condition_end_datetime:t condition_type_concept_id:c! "
        "condition_status_concept_id:c stop_reason:s provider_id:i visit_occurrence_id:i visit_detail_id:i "
        "condition_source_value:s condition_source_concept_id:c condition_status_source_value:s"
    ),
    "drug_exposure": _schema(
        "drug_exposure_id:i! person_id:i! drug_concept_id:c! drug_exposure_start_date:d! "
        "drug_exposure_start_datetime:t drug_exposure_end_date:d! drug_exposure_end_datetime:t "
        "verbatim_end_date:d drug_type_concept_id:c! stop_reason:s refills:c quantity:f days_supply:c sig:s "
        "route_concept_id:c lot_number:s provider_id:i visit_occurrence_id:i visit_detail_id:i "
        "drug_source_value:s drug_source_concept_id:c route_source_value:s dose_unit_source_value:s"
    ),
    "procedure_occurrence": _schema(
        "procedure_occurrence_id:i! person_id:i! procedure_concept_id:c! procedure_date:d! procedure_datetime:t "
        "procedure_end_date:d procedure_end_datetime:t procedure_type_concept_id:c! modifier_concept_id:c "
        "quantity:c provider_id:i visit_occurrence_id:i visit_detail_id:i procedure_source_value:s "
        "procedure_source_concept_id:c modifier_source_value:s"
    ),
    "measurement": _schema(
        "measurement_id:i! person_id:i! measurement_concept_id:c! measurement_date:d! measurement_datetime:t "
        "measurement_time:s measurement_type_concept_id:c! operator_concept_id:c value_as_number:f "
        "value_as_concept_id:c unit_concept_id:c range_low:f range_high:f provider_id:i visit_occurrence_id:i "
        "visit_detail_id:i measurement_source_value:s measurement_source_concept_id:c unit_source_value:s "
        "unit_source_concept_id:c value_source_value:s measurement_event_id:i meas_event_field_concept_id:c"
    ),
    "observation": _schema(
        "observation_id:i! person_id:i! observation_concept_id:c! observation_date:d! observation_datetime:t "
        "observation_type_concept_id:c! value_as_number:f value_as_string:s value_as_concept_id:c "
        "qualifier_concept_id:c unit_concept_id:c provider_id:i visit_occurrence_id:i visit_detail_id:i "
        "observation_source_value:s observation_source_concept_id:c unit_source_value:s "
        "qualifier_source_value:s value_source_value:s observation_event_id:i obs_event_field_concept_id:c"
    ),
    "death": _schema(
        "person_id:i! death_date:d! death_datetime:t death_type_concept_id:c cause_concept_id:c "
        "cause_source_value:s cause_source_concept_id:c"
    ),
    "note": _schema(
        "note_id:i! person_id:i! note_date:d! note_datetime:t note_type_concept_id:c! note_class_concept_id:c! "
        "note_title:s note_text:s! encoding_concept_id:c! language_concept_id:c! provider_id:i "
        "visit_occurrence_id:i visit_detail_id:i note_source_value:s note_event_id:i "
        "note_event_field_concept_id:c"
    ),
    "care_site": _schema(
        "care_site_id:i! care_site_name:s place_of_service_concept_id:c location_id:i care_site_source_value:s "
        "place_of_service_source_value:s"
    ),
    "concept": _schema(
        "concept_id:c! concept_name:s! domain_id:s! vocabulary_id:s! concept_class_id:s! standard_concept:s "
        "concept_code:s! valid_start_date:d! valid_end_date:d! invalid_reason:s"
    ),
    "concept_ancestor": _schema(
        "ancestor_concept_id:c! descendant_concept_id:c! min_levels_of_separation:c! max_levels_of_separation:c!"
    ),
    "concept_relationship": _schema(
        "concept_id_1:c! concept_id_2:c! relationship_id:s! valid_start_date:d! valid_end_date:d! invalid_reason:s"
    ),
    "concept_synonym": _schema("concept_id:c! concept_synonym_name:s! language_concept_id:c!"),
    "vocabulary": _schema(
        "vocabulary_id:s! vocabulary_name:s! vocabulary_reference:s vocabulary_version:s vocabulary_concept_id:c!"
    ),
    "cdm_source": _schema(
        "cdm_source_name:s! cdm_source_abbreviation:s! cdm_holder:s! source_description:s "
        "source_documentation_reference:s cdm_etl_reference:s source_release_date:d! cdm_release_date:d! "
        "cdm_version:s cdm_version_concept_id:c! vocabulary_version:s!"
    ),
}

# A delivered note is an OMOP note row plus the site that wrote it; the text is large and may be missing.
NOTE_DELIVERY: pa.Schema = pa.schema(
    [pa.field(field.name, field.type, nullable=True) for field in OMOP["note"]] + [pa.field("site", pa.string())]
)


def assemble(schema: pa.Schema, columns: Mapping[str, Sequence[Any]], n_rows: int) -> pa.Table:
    """Build a table with every column of the schema; columns not given are null.

    Days (``date32``) are given as proleptic ordinals; timestamps as microseconds since 1970.
    """
    unknown = sorted(set(columns) - set(schema.names))
    if unknown:
        raise KeyError(f"columns not in the schema: {unknown}")
    arrays = []
    for field in schema:
        values = columns.get(field.name)
        if values is None:
            arrays.append(pa.nulls(n_rows, field.type))
        elif pa.types.is_date32(field.type):
            shifted = [None if value is None else value - EPOCH for value in values]
            arrays.append(pa.array(shifted, pa.int32()).cast(pa.date32()))
        elif pa.types.is_timestamp(field.type):
            arrays.append(pa.array(values, pa.int64()).cast(field.type))
        else:
            arrays.append(pa.array(values, field.type))
    return pa.Table.from_arrays(arrays, schema=schema)
