"""The shape of a study file: what may be written in it, with which defaults and limits.

Only the pydantic models belong here. Reading a file and wording its errors is `load`; the small term language and
the safety of user regexes is `patterns`; what the rules *do* is `clinical_assets.labels`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from clinical_assets.study.annotations import AnnotationRules
from clinical_assets.study.applications import Applications
from clinical_assets.study.cohort import CohortRules, LatestNote, Publication
from clinical_assets.study.embedding import Embeddings
from clinical_assets.study.entities import Entities
from clinical_assets.study.fine_tuning import FineTuning
from clinical_assets.study.labelling import Labelling
from clinical_assets.study.patterns import check_pattern, expand_term
from clinical_assets.study.prediction import PredictionQuestion
from clinical_assets.study.risk import RiskQuestion
from clinical_assets.study.summarizing import Summaries

__all__ = [
    "ASSERTION_CUES",
    "SECTION_NAMES",
    "Context",
    "Cues",
    "FieldRule",
    "IntakeLimits",
    "NoteMapping",
    "SectionRules",
    "SeedRule",
    "Study",
    "Term",
]

FIELD_NAME = r"^[a-z][a-z0-9_]{0,62}$"
ASSERTION_CUES = ("negated", "possible", "historical", "hypothetical", "family", "affirmed")
SECTION_NAMES = (
    "chief_complaint", "history_of_present_illness", "past_medical_history", "past_surgical_history",
    "family_history", "social_history", "allergies", "medications", "discontinued_medications",
    "review_of_systems", "physical_exam", "vital_signs", "laboratory", "imaging", "pathology", "procedures",
    "assessment", "plan", "assessment_and_plan", "hospital_course", "discharge_instructions", "problem_list",
    "oncologic_history", "subjective", "objective", "interval_history", "other", "preamble",
)  # fmt: skip

GIB = 1024**3


def _known_section(name: str) -> str:
    if name not in SECTION_NAMES:
        raise ValueError(f"unknown section {name!r}; allowed sections: {', '.join(SECTION_NAMES)}")
    return name


def _finite_term(text: str) -> str:
    expand_term(text)
    return text


def _finite_cue(text: str) -> str:
    term, marked, reach = text.partition(" @")
    if marked and not reach.isdigit():
        raise ValueError(f"cue {text!r}: after @ a number of words is expected, e.g. 'not @4'")
    expand_term(term)
    return text


def _safe_pattern(text: str) -> str:
    check_pattern(text)
    return text


def _term_from_text(value: Any) -> Any:
    return {"text": value} if isinstance(value, str) else value


SectionName = Annotated[str, AfterValidator(_known_section)]
TermText = Annotated[str, Field(min_length=1, max_length=400), AfterValidator(_finite_term)]
CueText = Annotated[str, Field(min_length=1, max_length=400), AfterValidator(_finite_cue)]
PatternText = Annotated[str, Field(min_length=1), AfterValidator(_safe_pattern)]
Columns = Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NoteMapping(_Strict):
    """Which landed column feeds each stored column: per stored column a list of candidates, the first present wins.

    Landed names are compared case-insensitively by the intake. The defaults are the columns of OMOP `note`.
    """

    note_id: Columns = ["note_id"]
    person_id: Columns = ["person_id"]
    note_date: Columns = ["note_date"]
    note_type: Columns = ["note_type", "note_source_value", "note_title"]
    note_class: Columns = ["note_class", "note_class_concept_id"]
    site: Columns = ["site"]
    visit_occurrence_id: Columns = ["visit_occurrence_id"]
    text: Columns = ["note_text", "text"]


class IntakeLimits(_Strict):
    """What the intake refuses or sets aside. Sizes in bytes or Unicode characters, times in days."""

    max_file_bytes: int = Field(2 * GIB, gt=0, description="largest landed file, in bytes, as landed")
    max_expanded_bytes: int = Field(8 * GIB, gt=0, description="largest landed file after decompression, in bytes")
    max_ratio: float = Field(100.0, gt=1, description="largest ratio of expanded to landed size")
    max_note_chars: int = Field(5_000_000, gt=0, description="longest note, in characters; longer ones are rejected")
    min_usable_chars: int = Field(20, ge=0, description="fewer non-blank characters make a note a stub")
    future_days_allowed: int = Field(1, ge=0, description="days a note may lie after the day of ingestion")
    days_after_death_allowed: int = Field(30, ge=0, description="days a note may lie after the person's death")
    default_encoding: str = Field("utf-8", min_length=1, description="encoding of text files without a byte order mark")
    languages_enabled: Annotated[list[str], Field(min_length=1)] = ["en"]


class Context(_Strict):
    """A condition on the surroundings of a mention: one of the terms, or a mention of one of the fields, is there."""

    any_of: list[TermText] = []
    fields: list[str] = []
    within: Literal["note", "sentence"] = "note"

    @model_validator(mode="after")
    def _says_something(self) -> Context:
        if not self.any_of and not self.fields:
            raise ValueError("give at least one term in any_of or one field name in fields")
        return self


class Term(_Strict):
    """One term of a field, in the small language of `patterns.expand_term`, with conditions for ambiguous ones.

    `requires` must hold for a mention to count, `unless` must not; an `unless` is overruled where the terms of
    `requires` stand in the same sentence as the mention.
    """

    text: TermText
    case_sensitive: bool = False
    requires: Context | None = None
    unless: Context | None = None


class CueSides(_Strict):
    """Cue phrases that precede (`before`) or follow (`after`) the mention they speak of.

    A cue is a term, optionally with its reach: `lost @4` speaks of a mention at most four words away.
    """

    before: list[CueText] = []
    after: list[CueText] = []


class Cues(_Strict):
    """Cue phrases that hold for one field only, on top of the general lexicon. `affirmed` cues undo other ones."""

    negated: CueSides = CueSides()
    possible: CueSides = CueSides()
    historical: CueSides = CueSides()
    hypothetical: CueSides = CueSides()
    family: CueSides = CueSides()
    affirmed: CueSides = CueSides()


class SectionRules(_Strict):
    """What a section says of a mention that no cue speaks of. A list that is given replaces the engine's default."""

    historical: list[SectionName] | None = None
    family: list[SectionName] | None = None
    hypothetical: list[SectionName] | None = None
    ignore: list[SectionName] = []


class SeedRule(_Strict):
    """The terms of the seed-compatible labeller: literal, one blank is one blank, alternatives in regex order."""

    terms: Annotated[list[TermText], Field(min_length=1)]


class FieldRule(_Strict):
    """One yes/no question that is asked of every note."""

    name: str = Field(pattern=FIELD_NAME)
    definition: str = Field(min_length=10, description="when the field is true, in plain words; used in prompts")
    mention_is_enough: bool = False
    ask_models: bool = Field(True, description="false: rules answer this field, language models are not asked")
    terms: list[Annotated[Term, BeforeValidator(_term_from_text)]] = []
    patterns: list[PatternText] = []
    requires_context: Context | None = None
    unless_context: Context | None = None
    sections: SectionRules = SectionRules()
    cues: Cues = Cues()
    seed: SeedRule | None = None

    @model_validator(mode="after")
    def _has_terms(self) -> FieldRule:
        if not self.terms and not self.patterns:
            raise ValueError("a field needs at least one entry in terms or patterns")
        return self


class Study(_Strict):
    """A study: the concepts asked of every note, and how notes arrive."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$")
    schema_version: str = Field(min_length=1, max_length=40)
    description: str = ""
    notes: NoteMapping = NoteMapping()
    limits: IntakeLimits = IntakeLimits()
    cohort: CohortRules = CohortRules()
    latest_note: LatestNote = LatestNote()
    label_scope: Literal["latest", "cohort", "all"] = Field(
        "latest",
        description="notes given to language models: the latest per person, the cohort's in its window, or all",
    )
    labelling: Labelling = Labelling()
    fine_tuning: FineTuning = FineTuning()
    summaries: Summaries = Summaries()
    embeddings: Embeddings = Embeddings()
    entities: Entities = Entities()
    applications: Applications = Applications()
    risk: RiskQuestion | None = None
    prediction: PredictionQuestion | None = None
    annotations: AnnotationRules = AnnotationRules()
    publication: Publication = Publication()
    fields: Annotated[list[FieldRule], Field(min_length=1)]

    @model_validator(mode="after")
    def _names_agree(self) -> Study:
        names = [field.name for field in self.fields]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"duplicate field names: {', '.join(twice)}; every field needs a name of its own")
        evidence = self.cohort.evidence_field
        if evidence is not None and evidence not in names:
            raise ValueError(f"cohort.evidence_field: no field {evidence!r}; known fields: {', '.join(names)}")
        unknown = sorted({name for fields in self.summaries.entities.values() for name in fields} - set(names))
        if unknown:
            raise ValueError(
                f"summaries.entities: unknown fields: {', '.join(unknown)}; known fields: {', '.join(names)}"
            )
        for field in self.fields:
            contexts = [field.requires_context, field.unless_context]
            contexts += [context for term in field.terms for context in (term.requires, term.unless)]
            for context in contexts:
                unknown = [name for name in (context.fields if context else []) if name not in names]
                if unknown:
                    raise ValueError(
                        f"field {field.name!r} refers to unknown fields: {', '.join(unknown)}; "
                        f"known fields: {', '.join(names)}"
                    )
        return self

    def field(self, name: str) -> FieldRule:
        """Return the field of that name; KeyError names the known ones."""
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(f"no field {name!r} in study {self.name!r}; known: {', '.join(f.name for f in self.fields)}")
