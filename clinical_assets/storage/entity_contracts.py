"""The column contracts of the entities' tables: corpora that people annotated, mentions, relations, the knowledge graph, scores.

`text` and `normalised` are words of a note or a document: they stay in the lake. What leaves it goes by `entity_key`.
"""

from __future__ import annotations

import pyarrow as pa

from clinical_assets.storage.columns import TIMESTAMP, column

__all__ = [
    "BIOMARKERS",
    "CORPUS_DOCUMENTS",
    "CORPUS_MEASURES",
    "CORPUS_MENTIONS",
    "CORPUS_PROFILE",
    "CORPUS_REJECTS",
    "CORPUS_RELATIONS",
    "CORPUS_SPLITS",
    "ENTITY_IDENTITY",
    "ENTITY_NOTES",
    "ENTITY_NOTE_STATUSES",
    "ENTITY_TABLES",
    "ENTITY_TYPES",
    "EXTRACTION_ERRORS",
    "EXTRACTION_SCORES",
    "GRAPH_EDGES",
    "GRAPH_NODES",
    "MENTIONS",
    "RELATIONS",
    "WORDINGS",
]

ENTITY_TYPES = ("chemical", "disease")
CORPUS_SPLITS = ("train", "dev", "test")
ENTITY_NOTE_STATUSES = ("extracted", "no_text", "too_long", "parse_error", "truncated", "unavailable")
WORDINGS = ("treats", "causes", "none")

# --- corpora: what people annotated, by document ------------------------------------------------------------------------
CORPUS_DOCUMENTS = pa.schema(
    [
        column("corpus", pa.string(), "File or folder in landing/corpora, without its ending", nullable=False),
        column("doc_id", pa.string(), "Id of the document in the corpus, e.g. a PubMed id", nullable=False),
        column("split", pa.string(), " | ".join(CORPUS_SPLITS) + "; whole articles on one side", nullable=False),
        column("text", pa.large_string(), "Title, a blank, abstract; all offsets refer to it", nullable=False),
        column("text_sha256", pa.string(), "SHA-256 of text", nullable=False),
        column("source_file", pa.string(), "File it was read from", nullable=False),
        column("source_file_sha256", pa.string(), "Digest of that file", nullable=False),
    ]
)

CORPUS_MENTIONS = pa.schema(
    [
        column("corpus", pa.string(), "Corpus", nullable=False),
        column("doc_id", pa.string(), "Document", nullable=False),
        column("start", pa.int32(), "Offset of the first character", nullable=False),
        column("end", pa.int32(), "Offset past the last character", nullable=False),
        column("entity_type", pa.string(), " | ".join(ENTITY_TYPES), nullable=False),
        column(
            "concept_codes", pa.list_(pa.string()), "Codes that the annotators gave, e.g. MESH:D003000; empty for none"
        ),
    ]
)

CORPUS_RELATIONS = pa.schema(
    [
        column("corpus", pa.string(), "Corpus", nullable=False),
        column("doc_id", pa.string(), "Document", nullable=False),
        column("relation", pa.string(), "chemical_induces_disease", nullable=False),
        column("chemical_code", pa.string(), "Code of the chemical", nullable=False),
        column("disease_code", pa.string(), "Code of the disease", nullable=False),
    ]
)

CORPUS_REJECTS = pa.schema(
    [
        column("source_file", pa.string(), "File in landing/corpora", nullable=False),
        column("line_number", pa.int64(), "1-based line; null where the whole file was refused"),
        column("doc_id", pa.string(), "Document, where it could be read"),
        column("reason", pa.string(), "Machine-readable reason, e.g. text_differs_at_offset", nullable=False),
        column("detail", pa.string(), "What was expected and how to mend it; never text of a document", nullable=False),
    ]
)

CORPUS_MEASURES = (
    "n_documents", "n_without_mentions", "n_relations", "n_characters", "median_characters", "longest_characters", "n_mentions", "n_names",
    "n_codes", "share_hyphenated", "share_without_code", "n_mentions_of_code", "n_set_aside", "n_duplicates", "n_shared_articles",
)  # fmt: skip

CORPUS_PROFILE = pa.schema(
    [
        column("corpus", pa.string(), "Corpus", nullable=False),
        column("split", pa.string(), " | ".join(CORPUS_SPLITS) + " | all", nullable=False),
        column("measure", pa.string(), " | ".join(CORPUS_MEASURES), nullable=False),
        column("entity_type", pa.string(), " | ".join(ENTITY_TYPES) + " | all", nullable=False),
        column("concept_code", pa.string(), "Code of the concept, for n_mentions_of_code; else null"),
        column("value", pa.float64(), "Count, characters, or share from 0 to 1", nullable=False),
    ]
)

# --- notes: what was found in them -----------------------------------------------------------------------------------
# What makes two extractions the same: the same text read by the same extractor in the same way.
ENTITY_IDENTITY = ("note_id", "note_sha256", "extractor", "model_revision", "adapter_sha", "prompt_sha", "decoding")

_IDENTITY = [
    column("note_id", pa.int64(), "OMOP note.note_id", nullable=False),
    column("note_sha256", pa.string(), "SHA-256 of the text that was read", nullable=False),
    column("extractor", pa.string(), "spacy | gazetteer | name of a model in the catalogue", nullable=False),
    column(
        "model_revision", pa.string(), "Digest or revision of the model; of the names for the gazetteer", nullable=False
    ),
    column("adapter_sha", pa.string(), "Digest of the LoRA adapter; empty for none", nullable=False),
    column("prompt_sha", pa.string(), "Digest of the prompts; empty where there are none", nullable=False),
    column("decoding", pa.string(), "tagger | matcher | constrained_list", nullable=False),
    column("person_id", pa.int64(), "OMOP person.person_id", nullable=False),
    column("note_date", pa.date32(), "Date of service of the note", nullable=False),
    column("batch", pa.string(), "Note batch", nullable=False),
]
_RUN = [
    column("extracted_at", TIMESTAMP, "When it was made, UTC", nullable=False),
    column("run_id", pa.string(), "Dagster run that made it", nullable=False),
]

ENTITY_NOTES = pa.schema(
    [
        *_IDENTITY,
        column("status", pa.string(), " | ".join(ENTITY_NOTE_STATUSES), nullable=False),
        column("n_mentions", pa.int32(), "Mentions found; null where status says why nothing is known"),
        column("n_dropped", pa.int32(), "Answers of a language model that do not stand in the note", nullable=False),
        column("n_input_tokens", pa.int32(), "Tokens read; null where not counted"),
        column("n_output_tokens", pa.int32(), "Tokens written; null where not counted"),
        column("seconds", pa.float32(), "Seconds spent on the note; null where not measured per note"),
        *_RUN,
    ]
)

MENTIONS = pa.schema(
    [
        *_IDENTITY,
        column("mention_index", pa.int32(), "0-based order within the note", nullable=False),
        column("start", pa.int32(), "Offset of the first character in the note's text", nullable=False),
        column("end", pa.int32(), "Offset past the last character", nullable=False),
        column("entity_type", pa.string(), " | ".join(ENTITY_TYPES), nullable=False),
        column("text", pa.large_string(), "The words themselves (PHI)", nullable=False),
        column("normalised", pa.large_string(), "Folded, abbreviation spelled out (PHI)", nullable=False),
        column("is_abbreviation", pa.bool_(), "The note says elsewhere what it stands for", nullable=False),
        column(
            "assertion",
            pa.string(),
            "affirmed | negated | possible | historical | hypothetical | family",
            nullable=False,
        ),
        column(
            "reason", pa.string(), "Rule that decided the assertion, e.g. pre_negation:denies; null where no cue speaks"
        ),
        column("section", pa.string(), "Section of the note, e.g. family_history; null where it has none"),
        column(
            "entity_key",
            pa.string(),
            "What mentions of one thing share: concept:<concept_id> where linked, else text:<16 hex digits of a digest of normalised>",
            nullable=False,
        ),
        column("concept_id", pa.int64(), "OMOP standard concept; null where none is near enough"),
        column("concept_name", pa.string(), "Its name"),
        column("vocabulary_id", pa.string(), "Its vocabulary, e.g. SNOMED, RxNorm"),
        column("concept_code", pa.string(), "Its code there"),
        column("link_score", pa.float32(), "Cosine similarity, 0 to 1, of the best name of the concept"),
        column(
            "linker_sha", pa.string(), "Digest of the index that linked; empty without a vocabulary", nullable=False
        ),
        column("confidence", pa.float32(), "P(mention) of the extractor, 0 to 1; null where it gives none"),
        column("part", pa.int32(), "0-based part of the note that a language model read at once; null for others"),
        column(
            "influences",
            pa.list_(pa.int32()),
            "Of a chemical: starts of the diseases that a language model lists as influenced by it, of the same part; null where not asked",
        ),
        *_RUN,
    ]
)

RELATIONS = pa.schema(
    [
        *_IDENTITY,
        column(
            "relation_model",
            pa.string(),
            "What decided, with its digest, e.g. lightgbm@1f2e...; a language model by its name",
            nullable=False,
        ),
        column("relation", pa.string(), "chemical_induces_disease", nullable=False),
        column("chemical_key", pa.string(), "entity_key of the chemical", nullable=False),
        column("disease_key", pa.string(), "entity_key of the disease", nullable=False),
        column("chemical_concept_id", pa.int64(), "OMOP concept of the chemical; null where not linked"),
        column("disease_concept_id", pa.int64(), "OMOP concept of the disease; null where not linked"),
        column(
            "probability",
            pa.float32(),
            "P(the text says that the chemical induces the disease); null where a list decided",
        ),
        column("threshold", pa.float32(), "From which on it is held to say so; null where a list decided"),
        column(
            "value",
            pa.bool_(),
            "probability is at the threshold or above, or a language model listed the pair; null where nothing decided",
        ),
        column("n_shared_sentences", pa.int32(), "Sentences that name both", nullable=False),
        column(
            "wording", pa.string(), " | ".join(WORDINGS) + ": how the evidence is worded; never a cause", nullable=False
        ),
        column("cue_start", pa.int32(), "Offset of the wording's cue"),
        column("cue_end", pa.int32(), "Offset past it"),
        column(
            "evidence_start",
            pa.int32(),
            "Offset of the sentence, or run of sentences, that names both nearest",
            nullable=False,
        ),
        column("evidence_end", pa.int32(), "Offset past it", nullable=False),
        column("chemical_start", pa.int32(), "Offset of the nearest mention of the chemical", nullable=False),
        column("chemical_end", pa.int32(), "Offset past it", nullable=False),
        column("disease_start", pa.int32(), "Offset of the nearest mention of the disease", nullable=False),
        column("disease_end", pa.int32(), "Offset past it", nullable=False),
        column("chemical_assertion", pa.string(), "Assertion of that mention", nullable=False),
        column("disease_assertion", pa.string(), "Assertion of that mention", nullable=False),
        *_RUN,
        column(
            "sentences_apart",
            pa.int32(),
            "Sentences from one of these mentions to the other; 0 within one",
            nullable=False,
        ),
    ]
)

# --- the knowledge graph: counts over notes, nothing of one person -----------------------------------------------------
_SEEN = [
    column("n_notes", pa.int64(), "Notes"),
    column("n_persons", pa.int64(), "Persons; null where fewer than the study's smallest cell"),
    column("first_seen", pa.date32(), "Month of the first note, as its first day; null with n_persons"),
    column("last_seen", pa.date32(), "Month of the last note, as its first day; null with n_persons"),
    column("suppressed", pa.bool_(), "Counts are withheld: too few persons", nullable=False),
]

GRAPH_NODES = pa.schema(
    [
        column("entity_key", pa.string(), "See entities/mentions", nullable=False),
        column("entity_type", pa.string(), " | ".join(ENTITY_TYPES), nullable=False),
        column("name", pa.string(), "Name of the concept; null where not linked: the words are the notes'"),
        column("concept_id", pa.int64(), "OMOP concept; null where not linked"),
        column("vocabulary_id", pa.string(), "Vocabulary of the concept"),
        column("concept_code", pa.string(), "Code of the concept"),
        column("n_mentions", pa.int64(), "Mentions; null where withheld"),
        column("n_names", pa.int64(), "Different normalised forms that were put together"),
        *_SEEN,
    ]
)

GRAPH_EDGES = pa.schema(
    [
        column(
            "source_key",
            pa.string(),
            "entity_key, a node; of the chemical where the two differ in type",
            nullable=False,
        ),
        column("target_key", pa.string(), "entity_key, a node", nullable=False),
        column(
            "edge_type",
            pa.string(),
            "same_sentence | chemical_induces_disease | worded_treats | worded_causes; none of them is a proven cause",
            nullable=False,
        ),
        column("mean_probability", pa.float32(), "Of chemical_induces_disease; null for the others and where withheld"),
        *_SEEN,
    ]
)

# --- how good extraction is, on annotated documents --------------------------------------------------------------------
EXTRACTION_SCORES = pa.schema(
    [
        column("corpus", pa.string(), "Corpus", nullable=False),
        column("split", pa.string(), "Split that was read", nullable=False),
        column("task", pa.string(), "mentions | relations_gold_entities | relations_found_entities", nullable=False),
        column(
            "extractor", pa.string(), "Who extracted; baselines (gazetteer, co-occurrence) among them", nullable=False
        ),
        column(
            "model_revision",
            pa.string(),
            "Its digest or revision; that of its adapter where it has one",
            nullable=False,
        ),
        column("entity_type", pa.string(), "chemical | disease | all; all for relations", nullable=False),
        column("matching", pa.string(), "strict (same characters and type) | overlap", nullable=False),
        column("average", pa.string(), "micro | document (mean over documents)", nullable=False),
        column("n_documents", pa.int64(), "Documents", nullable=False),
        column("n_gold", pa.int64(), "Annotated", nullable=False),
        column("n_found", pa.int64(), "Found", nullable=False),
        column("n_true_positive", pa.int64(), "Both"),
        column("precision", pa.float64(), "Share of found that is annotated; null where nothing was found"),
        column("recall", pa.float64(), "Share of annotated that is found; null where nothing is annotated"),
        column("f1", pa.float64(), "Harmonic mean"),
        column("f1_low", pa.float64(), "Lower 95 % limit, bootstrap over documents"),
        column("f1_high", pa.float64(), "Upper 95 % limit"),
    ]
)

EXTRACTION_ERRORS = pa.schema(
    [
        column("corpus", pa.string(), "Corpus", nullable=False),
        column("split", pa.string(), "Split that was read", nullable=False),
        column("extractor", pa.string(), "Who extracted", nullable=False),
        column("entity_type", pa.string(), "chemical | disease", nullable=False),
        column(
            "error",
            pa.string(),
            "boundary | type | hyphen | abbreviation | synonym | hallucination | missed",
            nullable=False,
        ),
        column("n", pa.int64(), "How many", nullable=False),
    ]
)

# --- applications --------------------------------------------------------------------------------------------------------
BIOMARKERS = pa.schema(
    [
        column("note_id", pa.int64(), "OMOP note.note_id", nullable=False),
        column("note_sha256", pa.string(), "SHA-256 of the text that was read", nullable=False),
        column("person_id", pa.int64(), "OMOP person.person_id", nullable=False),
        column("note_date", pa.date32(), "Date of service of the note", nullable=False),
        column("batch", pa.string(), "Note batch", nullable=False),
        column("biomarker", pa.string(), "Name in the study", nullable=False),
        column("start", pa.int32(), "Offset of the first character", nullable=False),
        column("end", pa.int32(), "Offset past the last character", nullable=False),
        column("sentence_start", pa.int32(), "Offset of the sentence around it", nullable=False),
        column("sentence_end", pa.int32(), "Offset past it", nullable=False),
        column(
            "assertion",
            pa.string(),
            "affirmed | negated | possible | historical | hypothetical | family",
            nullable=False,
        ),
        column("response", pa.string(), "What the sentence speaks of: response | no_response; null for neither"),
        column("response_start", pa.int32(), "Offset of the words that say so"),
        column("response_end", pa.int32(), "Offset past them"),
        column("rules_sha", pa.string(), "Digest of the study's biomarkers and of the rules", nullable=False),
        column("extracted_at", TIMESTAMP, "When it was made, UTC", nullable=False),
        column("run_id", pa.string(), "Dagster run that made it", nullable=False),
    ]
)

ENTITY_TABLES: dict[str, pa.Schema] = {
    "entities/corpus_documents": CORPUS_DOCUMENTS,
    "entities/corpus_mentions": CORPUS_MENTIONS,
    "entities/corpus_relations": CORPUS_RELATIONS,
    "entities/corpus_rejects": CORPUS_REJECTS,
    "entities/corpus_profile": CORPUS_PROFILE,
    "entities/notes": ENTITY_NOTES,
    "entities/mentions": MENTIONS,
    "entities/relations": RELATIONS,
    "entities/graph_nodes": GRAPH_NODES,
    "entities/graph_edges": GRAPH_EDGES,
    "entities/extraction_scores": EXTRACTION_SCORES,
    "entities/extraction_errors": EXTRACTION_ERRORS,
    "entities/biomarkers": BIOMARKERS,
}
