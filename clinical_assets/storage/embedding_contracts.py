"""The column contracts of the embeddings' tables. Vectors and chronologies tell of persons: they stay in the lake, as texts do."""

from __future__ import annotations

import pyarrow as pa

from clinical_assets.storage.columns import TIMESTAMP, column

__all__ = [
    "CODE_TEXT",
    "EMBEDDING_TABLES",
    "NOTE_VECTORS",
    "PERSON_VECTORS",
    "TERMINOLOGY",
    "TERMINOLOGY_REJECTS",
    "VECTORS",
]

_VECTOR = pa.list_(pa.float32())

TERMINOLOGY = pa.schema(
    [
        column("code_system", pa.string(), "Vocabulary as OMOP names it, e.g. ICD10CM", nullable=False),
        column("code", pa.string(), "Code without dots; NDC as 11 digits", nullable=False),
        column("name", pa.string(), "What it is called", nullable=False),
        column("source", pa.string(), "File it was read from", nullable=False),
    ]
)

TERMINOLOGY_REJECTS = pa.schema(
    [
        column("source", pa.string(), "File in landing/terminology", nullable=False),
        column("reason", pa.string(), "unknown_code_system | no_code | no_name | other_name | bad_ndc", nullable=False),
        column("n", pa.int64(), "Rows set aside", nullable=False),
        column("detail", pa.string(), "What is expected and how to mend it", nullable=False),
    ]
)

CODE_TEXT = pa.schema(
    [
        column("person_id", pa.int64(), "OMOP person.person_id", nullable=False),
        column("index_date", pa.date32(), "Only what happened strictly before it is told", nullable=False),
        column("domain", pa.string(), "condition | procedure | drug", nullable=False),
        column(
            "text", pa.large_string(), "[YYYY-MM-DD] - name | ..., oldest first (PHI); null where no code has a name"
        ),
        column("text_sha256", pa.string(), "SHA-256 of text; null where there is none"),
        column("n_records", pa.int64(), "Records strictly before the index date", nullable=False),
        column("n_lines", pa.int64(), "Of the text: a name is said once a day", nullable=False),
        column("n_unmapped", pa.int64(), "Records whose code has no name: they are not in the text", nullable=False),
        column("first_date", pa.date32(), "Of the records", nullable=False),
        column("last_date", pa.date32(), "Of the records; before index_date", nullable=False),
    ]
)

VECTORS = pa.schema(
    [
        column("settings_sha", pa.string(), "Digest of model, revision, instruction, pooling, window", nullable=False),
        column("text_sha256", pa.string(), "SHA-256 of the text", nullable=False),
        column("encoder", pa.string(), "Name in the catalogue", nullable=False),
        column("revision", pa.string(), "Of the weights", nullable=False),
        column("vector", _VECTOR, "float32", nullable=False),
        column("made_at", TIMESTAMP, "When it was made, UTC", nullable=False),
    ]
)

PERSON_VECTORS = pa.schema(
    [
        column("person_id", pa.int64(), "OMOP person.person_id", nullable=False),
        column("index_date", pa.date32(), "Only what happened strictly before it counts", nullable=False),
        column("domain", pa.string(), "condition | procedure | drug", nullable=False),
        column(
            "encoder",
            pa.string(),
            "Name in the catalogue, or hashed_tfidf_svd; with +mean, +recency or +tfidf where vectors of names are put together",
            nullable=False,
        ),
        column("aggregation", pa.string(), "text | mean | recency | tfidf", nullable=False),
        column("revision", pa.string(), "Of the weights", nullable=False),
        column("settings_sha", pa.string(), "Digest of all the encoding depends on besides text", nullable=False),
        column("n_lines", pa.int64(), "Lines of the text", nullable=False),
        column("dimension", pa.int32(), "Length of vector", nullable=False),
        column("vector", _VECTOR, "float32", nullable=False),
    ]
)

NOTE_VECTORS = pa.schema(
    [
        column("note_id", pa.int64(), "OMOP note.note_id", nullable=False),
        column("person_id", pa.int64(), "OMOP person.person_id", nullable=False),
        column("batch", pa.string(), "Note batch", nullable=False),
        column("text_sha256", pa.string(), "Version of the note's text", nullable=False),
        column("encoder", pa.string(), "Name in the catalogue, or hashed_tfidf_svd", nullable=False),
        column("revision", pa.string(), "Of the weights", nullable=False),
        column("settings_sha", pa.string(), "Digest of all the encoding depends on besides text", nullable=False),
        column("status", pa.string(), "embedded | no_text | nothing_known (a vector of zeros)", nullable=False),
        column("dimension", pa.int32(), "Length of vector; null where there is none"),
        column("vector", _VECTOR, "float32; null where status says why there is none"),
    ]
)

EMBEDDING_TABLES: dict[str, pa.Schema] = {
    "embeddings/terminology": TERMINOLOGY,
    "embeddings/terminology_rejects": TERMINOLOGY_REJECTS,
    "embeddings/code_text": CODE_TEXT,
    "embeddings/vectors": VECTORS,
    "embeddings/person_vectors": PERSON_VECTORS,
    "embeddings/notes": NOTE_VECTORS,
}
