"""The column contracts of the lake's long-form tables, as Arrow schemas.

A table is written with exactly these columns in exactly this order, or not at all. Column comments are the single
source of the descriptions that Dagster, dbt and the data dictionary show. Add a column at the end, never rename one.
"""

from __future__ import annotations

import pyarrow as pa

from clinical_assets.storage.adapter_contracts import ADAPTER_TABLES
from clinical_assets.storage.columns import TIMESTAMP, column
from clinical_assets.storage.embedding_contracts import EMBEDDING_TABLES
from clinical_assets.storage.entity_contracts import ENTITY_TABLES
from clinical_assets.storage.prediction_contracts import PREDICTION_TABLES
from clinical_assets.storage.risk_contracts import RISK_TABLES
from clinical_assets.storage.summary_contracts import SUMMARY_REFERENCES, SUMMARY_TABLES, WRITTEN_SUMMARIES

__all__ = [
    "ADJUDICATED",
    "ADJUDICATION_STATUSES",
    "ANNOTATION_REJECTS",
    "ASSERTIONS",
    "FAMILIES",
    "HUMAN_LABELS",
    "INTAKES",
    "LABELS",
    "LABEL_IDENTITY",
    "LABEL_STATUSES",
    "LAKE_TABLES",
    "MODEL_LABELS",
    "MODEL_SUMMARIES",
    "NOTES",
    "NOTE_STATUSES",
    "REJECTS",
    "SECTIONS",
    "SPLITS",
    "SPLIT_NAMES",
    "VOLATILE",
    "describe",
]

# Columns that tell when and by which run a row was made, not what it says: they never enter a data version.
_RUN = frozenset({"run_id", "seconds", "source_file_sha256"})
VOLATILE = _RUN | frozenset(
    f"{event}_at"
    for event in (
        "ingested",
        "labelled",
        "first_seen",
        "assigned",
        "trained",
        "decided",
        "promoted",
        "made",
        "extracted",
    )
)

NOTE_STATUSES = ("usable", "blank", "stub", "scanned_pointer", "not_english")
LABEL_STATUSES = ("labelled", "no_text", "parse_error", "truncated", "too_long", "unsupported", "unavailable")
ASSERTIONS = ("affirmed", "negated", "possible", "historical", "hypothetical", "family")


_SPAN = pa.struct([pa.field("stored", pa.int32()), pa.field("raw", pa.int32())])

NOTES = pa.schema(
    [
        column("note_id", pa.int64(), "OMOP note.note_id; unique among current notes", nullable=False),
        column("person_id", pa.int64(), "OMOP person.person_id", nullable=False),
        column("note_date", pa.date32(), "Date of service of the note", nullable=False),
        column("note_type", pa.string(), "Kind of note as the source names it, e.g. Progress Notes"),
        column("note_class", pa.string(), "Source's class of the note, e.g. an OMOP note_class_concept_id"),
        column("site", pa.string(), "Care site that wrote the note"),
        column("visit_occurrence_id", pa.int64(), "OMOP visit the note belongs to, when known"),
        column("text", pa.large_string(), "Normalised note text (PHI); all offsets refer to it", nullable=False),
        column("text_sha256", pa.string(), "SHA-256 of text, UTF-8, hex", nullable=False),
        column("n_chars", pa.int32(), "Length of text in Unicode characters", nullable=False),
        column("status", pa.string(), "usable | blank | stub | scanned_pointer | not_english", nullable=False),
        column("batch", pa.string(), "Note batch: the landed file or folder", nullable=False),
        column("source_file_sha256", pa.string(), "Digest of the landed file or folder", nullable=False),
        column("ingested_at", TIMESTAMP, "When the row was ingested, UTC", nullable=False),
        column("conversions", pa.list_(pa.string()), "Conversions that made text from the landed text, in order"),
        column("raw_text", pa.large_string(), "Landed text (PHI) where it differs from text, else null"),
        column("offset_map", pa.list_(_SPAN), "Where text and raw_text run in step: stored offset -> raw offset"),
    ]
)

SECTIONS = pa.schema(
    [
        column("note_id", pa.int64(), "OMOP note.note_id", nullable=False),
        column("text_sha256", pa.string(), "The text that the offsets refer to", nullable=False),
        column("section_index", pa.int32(), "0-based order within the note", nullable=False),
        column("section", pa.string(), "Canonical section name, e.g. family_history", nullable=False),
        column("heading_start", pa.int32(), "Offset of the heading in text", nullable=False),
        column("body_start", pa.int32(), "Offset of the first character after the heading", nullable=False),
        column("body_end", pa.int32(), "Offset past the last character of the section", nullable=False),
        column("batch", pa.string(), "Note batch", nullable=False),
    ]
)

REJECTS = pa.schema(
    [
        column("batch", pa.string(), "Note batch", nullable=False),
        column("row_number", pa.int64(), "1-based row of the landed file (of the folder's files in name order)"),
        column("reason", pa.string(), "Machine-readable reason, e.g. orphan_person", nullable=False),
        column("detail", pa.string(), "What was expected and found; never text of the note"),
        column("source_file_sha256", pa.string(), "Digest of the landed file or folder", nullable=False),
        column("source_file", pa.string(), "File name within the batch (no folder)", nullable=False),
        column("note_id", pa.int64(), "note_id where it could be read"),
    ]
)

INTAKES = pa.schema(
    [
        column("batch", pa.string(), "Note batch", nullable=False),
        column("source_file", pa.string(), "Name of the landed file or folder", nullable=False),
        column("source_file_sha256", pa.string(), "Digest of the landed file or folder", nullable=False),
        column("n_landed", pa.int64(), "Rows in the landed file", nullable=False),
        column("n_stored", pa.int64(), "Rows stored as notes; n_landed = n_stored + n_rejected", nullable=False),
        column("n_rejected", pa.int64(), "Rows quarantined in notes/rejects", nullable=False),
        column("n_usable", pa.int64(), "Stored notes with status usable", nullable=False),
        column("n_duplicate_texts", pa.int64(), "Stored notes whose text occurs more than once in the batch"),
        column("ingested_at", TIMESTAMP, "When the batch was ingested, UTC", nullable=False),
        column("run_id", pa.string(), "Dagster run that ingested it", nullable=False),
    ]
)

# What makes two labels the same label: the same text read by the same labeller asked the same question.
LABEL_IDENTITY = (
    "note_id",
    "note_sha256",
    "labeller",
    "model_revision",
    "adapter_sha",
    "prompt_sha",
    "schema_version",
    "decoding",
)

LABELS = pa.schema(
    [
        column("note_id", pa.int64(), "OMOP note.note_id", nullable=False),
        column("note_sha256", pa.string(), "SHA-256 of the text that was labelled", nullable=False),
        column("labeller", pa.string(), "Who labelled: regex, regex_seed or a model's name", nullable=False),
        column("model_revision", pa.string(), "Revision of the model, or version of the rule engine", nullable=False),
        column("adapter_sha", pa.string(), "Digest of the LoRA adapter; empty for none", nullable=False),
        column("prompt_sha", pa.string(), "Digest of the prompt, or of the concepts for rules", nullable=False),
        column("schema_version", pa.string(), "Version of the study's answer schema", nullable=False),
        column(
            "decoding",
            pa.string(),
            "How the answer was read: rules, schema_scoring, think_512+schema_scoring, ...",
            nullable=False,
        ),
        column("person_id", pa.int64(), "OMOP person.person_id", nullable=False),
        column("batch", pa.string(), "Note batch", nullable=False),
        column("field", pa.string(), "Field of the study, e.g. cml_diagnosed", nullable=False),
        column("value", pa.bool_(), "true | false; null when status says why there is none"),
        column("probability", pa.float32(), "P(true) of the labeller; null for rules"),
        column("status", pa.string(), " | ".join(LABEL_STATUSES), nullable=False),
        column("mentioned", pa.bool_(), "The field's terms occur in the note, whatever is said of them"),
        column("asserted", pa.bool_(), "At least one mention is affirmed (now or in the past) of the patient"),
        column("assertion", pa.string(), " | ".join(ASSERTIONS) + "; of the evidence; null if not mentioned"),
        column("evidence_start", pa.int32(), "Offset of the evidence in the note's text"),
        column("evidence_end", pa.int32(), "Offset past the evidence"),
        column(
            "reason",
            pa.string(),
            "Rule that decided (pre_negation:denies, section:family_history), or how evidence and a model's answer agree",
        ),
        column("n_input_tokens", pa.int32(), "Tokens read; null for rules"),
        column("n_output_tokens", pa.int32(), "Tokens written; null for rules"),
        column("seconds", pa.float32(), "Seconds spent on the note; null where not measured per note"),
        column("labelled_at", TIMESTAMP, "When the label was made, UTC", nullable=False),
        column("run_id", pa.string(), "Dagster run that made it", nullable=False),
    ]
)

ADJUDICATION_STATUSES = ("single", "agreed", "disagreed", "adjudicated")
SPLIT_NAMES = ("train", "validation", "test", "excluded")

HUMAN_LABELS = pa.schema(
    [
        column("note_id", pa.int64(), "OMOP note.note_id", nullable=False),
        column("person_id", pa.int64(), "OMOP person.person_id", nullable=False),
        column("text_sha256", pa.string(), "Version of the note's stored text that was read", nullable=False),
        column("annotator", pa.string(), "Who answered, as the file or the tool names them", nullable=False),
        column("field", pa.string(), "Field of the study, e.g. cml_diagnosed", nullable=False),
        column("value", pa.bool_(), "true | false", nullable=False),
        column("answered_at", TIMESTAMP, "When they answered, UTC; null where the export does not say"),
        column("source_file", pa.string(), "File in landing/annotations where it was first seen", nullable=False),
        column(
            "source_format", pa.string(), "parquet | csv | json | jsonl, or the tool that exported it", nullable=False
        ),
        column("source_sha256", pa.string(), "Digest of that file as it was then", nullable=False),
        column("first_seen_at", TIMESTAMP, "When the answer was first read here, UTC", nullable=False),
        column(
            "version",
            pa.int32(),
            "1, 2, ... of the annotator's answers on note and field, in the order seen",
            nullable=False,
        ),
        column(
            "is_current",
            pa.bool_(),
            "The annotator's latest answer on this text that the files still hold",
            nullable=False,
        ),
    ]
)

ANNOTATION_REJECTS = pa.schema(
    [
        column("source_file", pa.string(), "File in landing/annotations", nullable=False),
        column("source_sha256", pa.string(), "Its digest; empty where it could not be read", nullable=False),
        column("source_format", pa.string(), "Its format; null where the whole file was refused"),
        column("reason", pa.string(), "Machine-readable reason, e.g. unknown_note", nullable=False),
        column("n", pa.int64(), "Answers or tasks refused; 1 where it is the whole file", nullable=False),
        column("detail", pa.string(), "What is expected and how to mend it; never text of a note", nullable=False),
    ]
)

ADJUDICATED = pa.schema(
    [
        column("note_id", pa.int64(), "OMOP note.note_id", nullable=False),
        column("person_id", pa.int64(), "OMOP person.person_id", nullable=False),
        column("text_sha256", pa.string(), "Current version of the note's text", nullable=False),
        column("field", pa.string(), "Field of the study", nullable=False),
        column("value", pa.bool_(), "What the annotators, or their adjudicator, say; null where they disagree"),
        column("status", pa.string(), " | ".join(ADJUDICATION_STATUSES), nullable=False),
        column("n_annotators", pa.int64(), "Annotators who answered, adjudicators among them", nullable=False),
    ]
)

SPLITS = pa.schema(
    [
        column("note_id", pa.int64(), "OMOP note.note_id of a note that was ever annotated", nullable=False),
        column("person_id", pa.int64(), "OMOP person.person_id", nullable=False),
        column("text_sha256", pa.string(), "Version of the text", nullable=False),
        column("group_id", pa.int64(), "Smallest person_id of those joined by shared texts", nullable=False),
        column("split", pa.string(), " | ".join(SPLIT_NAMES), nullable=False),
        column("reason", pa.string(), "Why a note is excluded, else null: shared_text | bridges_splits | not_needed"),
        column("seed", pa.int64(), "Seed of the draw that assigned it", nullable=False),
        column("assigned_at", TIMESTAMP, "When it was assigned, UTC", nullable=False),
        column(
            "is_annotated", pa.bool_(), "It has labels now; false keeps the place of a note that had", nullable=False
        ),
    ]
)


# Tables that stand for others, of which there are as many as the catalogue has models, and how the names of those begin. They
# hold no rows themselves.
MODEL_LABELS = "labels/models"
MODEL_SUMMARIES = "summaries/written"
FAMILIES = {MODEL_LABELS: ("llm_",), MODEL_SUMMARIES: ("verbose_", "compressed_")}

# Every table of the lake, declared from the start so that no scan finds nothing. Labels share one contract.
LAKE_TABLES: dict[str, pa.Schema] = {
    "notes/notes": NOTES,
    "notes/sections": SECTIONS,
    "notes/rejects": REJECTS,
    "notes/intakes": INTAKES,
    "labels/regex": LABELS,
    "labels/regex_seed": LABELS,
    MODEL_LABELS: LABELS,
    **ADAPTER_TABLES,
    **SUMMARY_TABLES,
    MODEL_SUMMARIES: WRITTEN_SUMMARIES,
    "summaries/references": SUMMARY_REFERENCES,
    "summaries/reference_rejects": ANNOTATION_REJECTS,
    **EMBEDDING_TABLES,
    **ENTITY_TABLES,
    **PREDICTION_TABLES,
    **RISK_TABLES,
    "annotations/human_labels": HUMAN_LABELS,
    "annotations/rejects": ANNOTATION_REJECTS,
    "annotations/adjudicated": ADJUDICATED,
    "annotations/splits": SPLITS,
}


def describe(schema: pa.Schema) -> dict[str, str]:
    """Return column name -> comment of a contract."""
    return {field.name: (field.metadata or {}).get(b"comment", b"").decode() for field in schema}
