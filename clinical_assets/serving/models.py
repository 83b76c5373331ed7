"""What may be sent and what comes back. Limits of texts and calls stand here; unknown fields are refused."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema, field_validator

__all__ = [
    "EXAMPLE",
    "MAX_CHARS",
    "MAX_TEXTS",
    "TASKS",
    "BatchCall",
    "BatchReply",
    "Call",
    "EngineInfo",
    "EntitiesReply",
    "EntitiesResult",
    "Health",
    "Label",
    "LabelsReply",
    "LabelsResult",
    "Mention",
    "SummariesReply",
    "SummariesResult",
    "Summary",
    "Task",
    "TextIn",
    "TextRead",
]

MAX_TEXTS = 64
MAX_CHARS = 200_000
Task = Literal["entities", "labels", "summaries"]
TASKS: tuple[Task, ...] = ("entities", "labels", "summaries")
EXAMPLE = (
    "HPI: Synthetic patient with chronic myeloid leukemia (CML) on imatinib 400 mg daily. Denies fever.\n"
    "Family History: no leukemia.\nPlan: continue imatinib."
)


def _text(value: Any) -> str:
    # Not pydantic's own check of texts: it refuses lone surrogates, which are mended as the intake of notes mends them.
    if not isinstance(value, str):
        raise ValueError("a text")
    if len(value) > MAX_CHARS:
        raise ValueError(f"at most {MAX_CHARS} characters")
    return value


NoteText = Annotated[
    str,
    PlainValidator(_text),
    WithJsonSchema({"type": "string", "maxLength": MAX_CHARS, "description": "A clinical text; may be empty"}),
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class TextIn(_Strict):
    """One text."""

    id: str = Field(
        pattern=r"^[A-Za-z0-9._:-]{1,80}$",
        description="Caller's name of the text within this call; comes back with its answer, is kept nowhere",
    )
    text: NoteText


class Call(_Strict):
    """Texts to be read: one, or a batch of them. What is found in one does not depend on the others."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"texts": [{"id": "note-1", "text": EXAMPLE}]}]})

    texts: list[TextIn] = Field(min_length=1, max_length=MAX_TEXTS)

    @field_validator("texts")
    @classmethod
    def _distinct(cls, texts: list[TextIn]) -> list[TextIn]:
        if len({text.id for text in texts}) != len(texts):
            raise ValueError("every id once: answers are told apart by it")
        return texts


class BatchCall(Call):
    """Texts to be read for several tasks at once."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"tasks": ["labels", "summaries"], "texts": [{"id": "note-1", "text": EXAMPLE}]}]
        }
    )

    tasks: list[Task] = Field(min_length=1, max_length=len(TASKS), json_schema_extra={"uniqueItems": True})

    @field_validator("tasks")
    @classmethod
    def _each_once(cls, tasks: list[Task]) -> list[Task]:
        if len(set(tasks)) != len(tasks):
            raise ValueError("every task once")
        return tasks


class EngineInfo(_Strict):
    """Who answered: the identity that the assets write beside the same answers."""

    name: str = Field(description="Labeller, extractor or summarizer")
    digest: str = Field(description="SHA-256 of everything but the text that an answer depends on; stands in the audit")
    identity: dict[str, str] = Field(description="What the digest is of")


class TextRead(_Strict):
    """What was read. Offsets of answers count Unicode characters of the text as sent."""

    id: str
    text_sha256: str = Field(description="SHA-256 of the normalised text, as in notes/notes: same text, same answers")
    note_status: str = Field(
        description="usable | blank | stub | scanned_pointer | not_english; only usable texts are read"
    )
    conversions: list[str] = Field(description="What was changed before reading, e.g. control_characters_removed")


class Label(_Strict):
    """One field of the study; columns as in labels/regex."""

    field: str
    value: bool | None = Field(description="null where status says why nothing is known; never false for a failure")
    status: str = Field(description="labelled | no_text | unsupported")
    mentioned: bool | None
    asserted: bool | None
    assertion: str | None = Field(description="affirmed | negated | possible | historical | hypothetical | family")
    start: int | None = Field(description="Offset of the evidence in the text as sent")
    end: int | None = Field(description="Offset past it")
    reason: str | None = Field(description="Rule that decided the assertion")


class Mention(_Strict):
    """One mention of a disease or a chemical; columns as in entities/mentions."""

    start: int = Field(description="Offset of the first character in the text as sent")
    end: int = Field(description="Offset past the last one")
    entity_type: str = Field(description="chemical | disease")
    assertion: str | None
    reason: str | None
    section: str | None
    normalised: str | None = Field(description="Folded, abbreviation spelled out")
    is_abbreviation: bool | None
    entity_key: str | None = Field(description="What mentions of one thing share")
    concept_id: int | None = Field(description="OMOP standard concept; null where none is near enough")
    concept_name: str | None
    vocabulary_id: str | None
    concept_code: str | None
    link_score: float | None
    confidence: float | None


class Summary(_Strict):
    """One stage of the extractive summary; columns as in summaries/*_extractive."""

    stage: Literal["verbose", "compressed"]
    status: str = Field(description="summarized | one_line | over_target | no_text | not_english | ...")
    text: str | None = Field(description="Verbatim parts of the text; null where there is none")
    n_tokens_in: int
    n_tokens_out: int
    n_entities: int
    n_entities_kept: int
    n_numeric: int
    n_numeric_kept: int


class LabelsResult(TextRead):
    """Labels of one text, one per field of the study."""

    labels: list[Label]


class EntitiesResult(TextRead):
    """Mentions of one text."""

    status: str = Field(
        description="extracted, or why nothing is known: no_text | too_long | parse_error | truncated | unavailable"
    )
    mentions: list[Mention] | None = Field(description="null unless extracted: a failure is not an empty list")


class SummariesResult(TextRead):
    """Both stages of the summary of one text."""

    summaries: list[Summary]


class LabelsReply(_Strict):
    """Labels, in the order of the texts."""

    engine: EngineInfo
    results: list[LabelsResult]


class EntitiesReply(_Strict):
    """Mentions, in the order of the texts."""

    engine: EngineInfo
    results: list[EntitiesResult]


class SummariesReply(_Strict):
    """Summaries, in the order of the texts."""

    engine: EngineInfo
    results: list[SummariesResult]


class BatchReply(_Strict):
    """Answers to the tasks that were asked for; null for the others."""

    entities: EntitiesReply | None = None
    labels: LabelsReply | None = None
    summaries: SummariesReply | None = None


class EngineState(_Strict):
    """Whether a task can be done."""

    state: Literal["not_loaded", "ready", "unavailable"]
    why: str | None = Field(None, description="Why it cannot, and how to mend it")
    engine: EngineInfo | None = None


class AuditState(_Strict):
    """Where the audit stands. Whoever keeps the head elsewhere can prove later that no row before it was changed."""

    writable: bool
    n_rows: int
    head: str = Field(description="SHA-256 of the last row")


class Health(_Strict):
    """Whether the server answers; what runs in it, for holders of a token."""

    status: Literal["ready", "degraded"] = Field(
        description="degraded: a task is unavailable, or the audit cannot be written"
    )
    versions: dict[str, str] | None = None
    study: str | None = Field(None, description="Name and version of the study")
    tasks: dict[str, EngineState] | None = None
    audit: AuditState | None = None
    calls: int | None = Field(None, description="Calls being read, worked on or waiting")
