"""The column contracts of the summaries' tables. A summary is text of notes: it stays in the lake, the warehouse gets numbers."""

from __future__ import annotations

import pyarrow as pa

from clinical_assets.storage.columns import TIMESTAMP, column

__all__ = [
    "SCORED_VARIANTS",
    "SUMMARIES",
    "SUMMARY_CONTROLS",
    "SUMMARY_IDENTITY",
    "SUMMARY_REFERENCES",
    "SUMMARY_SCORES",
    "SUMMARY_STATUSES",
    "SUMMARY_TABLES",
    "WRITTEN_STATUSES",
    "WRITTEN_SUMMARIES",
]

SUMMARY_STATUSES = ("summarized", "over_target", "one_line", "no_text", "not_english")
# Of written summaries there are more. With a text: facts_lost (the rounds are over, and fewer facts are kept than the study wants),
# too_short (stage 1 was so short that it is passed on), truncated, looping. Without: empty, too_long, failed, unavailable.
WRITTEN_STATUSES = (
    *SUMMARY_STATUSES,
    *("facts_lost", "too_short", "truncated", "looping", "empty", "too_long", "failed", "unavailable"),
)
# What makes two summaries the same: the same texts, summarized the same way.
SUMMARY_IDENTITY = ("note_id", "source_sha256", "summarizer", "settings_sha")

# A summary, the beginning of its source at the same length, the whole source.
SCORED_VARIANTS = ("summary", "lead", "copy")

_SPAN = pa.struct([pa.field("note_id", pa.int64()), pa.field("start", pa.int32()), pa.field("end", pa.int32())])

SUMMARIES = pa.schema(
    [
        column("note_id", pa.int64(), "OMOP note.note_id; of a person's window its latest note", nullable=False),
        column("source_sha256", pa.string(), "Digest of the text, or texts, that were summarized", nullable=False),
        column("summarizer", pa.string(), "Who summarized: extractive, extractive_clauses or a model", nullable=False),
        column("settings_sha", pa.string(), "Digest of settings, vocabulary and version", nullable=False),
        column("person_id", pa.int64(), "OMOP person.person_id", nullable=False),
        column("batch", pa.string(), "Note batch", nullable=False),
        column("unit", pa.string(), "note | person_window", nullable=False),
        column("n_notes", pa.int32(), "Notes that were summarized together", nullable=False),
        column("status", pa.string(), " | ".join(SUMMARY_STATUSES), nullable=False),
        column("text", pa.large_string(), "The summary (PHI); null where status says why there is none"),
        column("text_sha256", pa.string(), "SHA-256 of text; null where there is none"),
        column("spans", pa.list_(_SPAN), "What was kept of the texts of the notes, in order; text is made of it"),
        column("n_spans", pa.int32(), "How many pieces these are", nullable=False),
        column(
            "similarity",
            pa.string(),
            "What likeness of sentences was measured with: all-MiniLM-L6-v2 | tfidf | none",
            nullable=False,
        ),
        column("target_ratio", pa.float64(), "At most this share of the tokens of its input", nullable=False),
        column("n_tokens_source", pa.int32(), "Words and signs of the source", nullable=False),
        column("n_tokens_in", pa.int32(), "Of the input: the source, or the summary of stage 1", nullable=False),
        column("n_tokens_out", pa.int32(), "Of the summary", nullable=False),
        column("n_entities", pa.int32(), "Distinct entities of the source", nullable=False),
        column("n_entities_kept", pa.int32(), "Of these, found in the summary", nullable=False),
        column("n_numeric", pa.int32(), "Distinct numeric facts of the source", nullable=False),
        column("n_numeric_kept", pa.int32(), "Of these, found in the summary", nullable=False),
        column("coverage", pa.float64(), "Value of the objective, of at most 1; null for stage 2"),
        column(
            "bound",
            pa.float64(),
            "Share of the best possible value that the choice is known to reach; null if not chosen",
        ),
        column("seconds", pa.float64(), "Seconds spent on it", nullable=False),
        column("made_at", TIMESTAMP, "When it was made, UTC", nullable=False),
        column("run_id", pa.string(), "Dagster run that made it", nullable=False),
    ]
)

SUMMARY_SCORES = pa.schema(
    [
        column("note_id", pa.int64(), "OMOP note.note_id; of a person's window its latest note", nullable=False),
        column("summarizer", pa.string(), "Who summarized; (source) for the copy", nullable=False),
        column("variant", pa.string(), " | ".join(SCORED_VARIANTS), nullable=False),
        column("metric", pa.string(), "Name of the metric", nullable=False),
        column("numerator", pa.float64(), "Count, or a score", nullable=False),
        column("denominator", pa.float64(), "Count, or 1; 0 where the metric is undefined", nullable=False),
        column("value", pa.float64(), "numerator / denominator; null where undefined"),
        column("flagged", pa.bool_(), "Known, but kept out of means: too short to be shortened", nullable=False),
        column("encoder", pa.string(), "Of a BERTScore: encoder, revision, layer; null for other metrics"),
        column("person_id", pa.int64(), "OMOP person.person_id", nullable=False),
        column("batch", pa.string(), "Note batch", nullable=False),
        column("n_notes", pa.int32(), "Notes that were summarized together", nullable=False),
        column("source_sha256", pa.string(), "Digest of what was summarized", nullable=False),
        column("text_sha256", pa.string(), "Digest of the summary, of the source for the copy", nullable=False),
        column("first_sha256", pa.string(), "Digest of the summary of stage 1 that was shortened; null for stage 1"),
        column("reference_sha256", pa.string(), "Digest of a person's summary that ROUGE compares with; null for none"),
        column("scorer_sha", pa.string(), "Digest of versions, vocabulary and settings of the scores", nullable=False),
        column("made_at", TIMESTAMP, "When it was scored, UTC", nullable=False),
        column("run_id", pa.string(), "Dagster run that scored it", nullable=False),
    ]
)

SUMMARY_CONTROLS = pa.schema(
    [
        column("summarizer", pa.string(), "Who summarized", nullable=False),
        column("fit", pa.string(), "How a summary is compared with a text: rouge2_f1", nullable=False),
        column("own", pa.float64(), "Mean fit to the own source; null where undefined"),
        column("shuffled", pa.float64(), "Mean fit to sources of other persons"),
        column("difference", pa.float64(), "own minus shuffled"),
        column("difference_low", pa.float64(), "Lower 95 % limit, from drawing persons"),
        column("difference_high", pa.float64(), "Upper 95 % limit"),
        column("n_summaries", pa.int64(), "Summaries there are", nullable=False),
        column("n_rows", pa.int64(), "Summaries drawn of these", nullable=False),
        column("n_compared", pa.int64(), "Those with another person's source to compare with", nullable=False),
        column("made_at", TIMESTAMP, "When it was computed, UTC", nullable=False),
        column("run_id", pa.string(), "Dagster run that computed it", nullable=False),
    ]
)

_ROUND = pa.struct(
    [
        pa.field("n_tokens", pa.int32()),
        pa.field("n_entities_lost", pa.int32()),
        pa.field("n_numeric_lost", pa.int32()),
        pa.field("n_numeric_invented", pa.int32()),
    ]
)

# As SUMMARIES, and what only a model has. What is chosen there (spans, coverage, bound) is null or 0 here.
WRITTEN_SUMMARIES = pa.schema(
    [
        *SUMMARIES,
        column("model_revision", pa.string(), "What tells the weights from others", nullable=False),
        column("adapter_sha", pa.string(), "Digest of the adapter; empty for none", nullable=False),
        column("decoding", pa.string(), "How tokens were chosen", nullable=False),
        column("input_sha256", pa.string(), "SHA-256 of the summary of stage 1 that was shortened; null for stage 1"),
        column("n_parts", pa.int32(), "Parts in which the input was read; 0 where no model was asked", nullable=False),
        column("n_rounds", pa.int32(), "Drafts, at most, of a part; 1 for stage 1", nullable=False),
        column("rounds", pa.list_(_ROUND), "Stage 2: by round, over all parts, what the drafts lost of stage 1"),
        column("n_input_tokens", pa.int64(), "Tokens that the model read for it, all calls together; null if unknown"),
        column("n_output_tokens", pa.int64(), "Tokens that it wrote, thoughts included; null if unknown"),
        column("reason", pa.string(), "What went wrong, in fixed words; null if nothing did"),
    ]
)

# Gold to train writers on and to compare with; texts of people about notes, so that they stay in the lake.
SUMMARY_REFERENCES = pa.schema(
    [
        column("note_id", pa.int64(), "OMOP note.note_id", nullable=False),
        column("person_id", pa.int64(), "OMOP person.person_id", nullable=False),
        column("note_sha256", pa.string(), "Digest of the text that was summarized", nullable=False),
        column("author", pa.string(), "Who wrote it", nullable=False),
        column("text", pa.large_string(), "The summary (PHI)", nullable=False),
        column("text_sha256", pa.string(), "SHA-256 of text", nullable=False),
        column("source_file", pa.string(), "File in landing/annotations", nullable=False),
        column("source_sha256", pa.string(), "Its digest", nullable=False),
    ]
)

SUMMARY_TABLES: dict[str, pa.Schema] = {
    "summaries/verbose_extractive": SUMMARIES,
    "summaries/compressed_extractive": SUMMARIES,
    "summaries/scores": SUMMARY_SCORES,
    "summaries/controls": SUMMARY_CONTROLS,
    "summaries/references": SUMMARY_REFERENCES,
}
