"""What is summarised and how short: the unit, the window, the lengths. Data only."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from clinical_assets.study.summary_wording import SummaryWordings

__all__ = ["BertScore", "Focus", "Summaries", "Written"]


class Focus(BaseModel):
    """What a short summary is to look for besides facts. With share 0 (the default) facts decide, whatever their place."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    share: float = Field(
        0.0, ge=0, le=1, description="weight of the priors below in stage 1; the rest is facts and likeness"
    )
    facts: float = Field(0.9, ge=0, le=1, description="share of the facts in that rest; likeness has what is left")
    position: float = Field(1.0, ge=0, description="weight of early sentences")
    decay: float = Field(3.0, gt=0, description="sentences until the weight of the position has fallen to 1/e")
    centrality: float = Field(0.5, ge=0, description="weight of sentences that are like the whole text")
    opening: float = Field(0.5, ge=0, description="weight of sentences that are like the opening one")
    asked: float = Field(1.0, ge=0, description="weight of sentences with one of the words")
    words: list[str] = Field(default_factory=list, max_length=200, description="words or phrases the summary is about")


class BertScore(BaseModel):
    """BERTScore of summaries against their sources. Costs far more than all other metrics, so it is asked for by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    encoder: str = Field(
        description="folder, or Hugging Face id of what was downloaded, e.g. emilyalsentzer/Bio_ClinicalBERT"
    )
    layer: int = Field(9, ge=1, description="hidden layer that is read; 9 for models of 12 layers")
    most_notes: int = Field(
        200, ge=1, description="at most so many notes of a batch, chosen by digest, the same every time"
    )


class Written(BaseModel):
    """How language models write summaries. The catalogue says which model writes which stage."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    wording: SummaryWordings = SummaryWordings()
    verbose_decoding: Literal["greedy", "seed_ds"] = Field(
        "greedy", description="stage 1: greedy, or drawn as the seed did"
    )
    compressed_decoding: Literal["greedy", "seed_ds_compressed"] = Field("greedy", description="stage 2: the same")
    verbose_max_new_tokens: int = Field(1024, ge=8, description="stage 1: tokens of the model for each part")
    compressed_max_new_tokens: int = Field(768, ge=8, description="stage 2: tokens of the model for each draft")
    parts: Literal["join", "combine"] = Field(
        "join",
        description="what becomes of the summaries of the parts of a long source: join keeps them one behind the other (nothing "
        "more is lost), combine has the model write one of them",
    )
    rounds: int = Field(3, ge=1, le=10, description="stage 2: drafts at most")
    entity_retention: float = Field(
        0.85, ge=0, le=1, description="stage 2: share of the entities of stage 1 that is enough"
    )
    numeric_retention: float = Field(
        0.95, ge=0, le=1, description="stage 2: share of the numeric facts of stage 1 that is enough"
    )
    named_facts: int = Field(40, ge=1, description="stage 2: lost facts that a round names at most, numbers first")
    least_tokens: int = Field(30, ge=1, description="stage 2: a summary of fewer words and signs is passed on as it is")


class Summaries(BaseModel):
    """Summaries in two stages. Tokens are words and signs, counted the same way for every summarizer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    unit: Literal["note", "person_window"] = Field(
        "note",
        description="note: one summary a note in the scope of labelling; person_window: one a person, of the notes that end with "
        "the latest one in scope",
    )
    window_days: int = Field(
        365, ge=0, le=36_500, description="with person_window: days before the latest note in scope"
    )
    verbose_ratio: float = Field(0.9, gt=0, le=1, description="stage 1: at most this share of the source's tokens")
    verbose_max_tokens: int = Field(4000, ge=20, description="stage 1: and at most so many tokens")
    compressed_ratio: float = Field(0.6, gt=0, le=1, description="stage 2: at most this share of the tokens of stage 1")
    focus: Focus = Focus()
    similarity: Literal["auto", "tfidf", "minilm"] = Field(
        "auto", description="likeness of sentences; auto: all-MiniLM-L6-v2 where its package is installed, else TF-IDF"
    )
    extractor: Literal["auto", "own", "scispacy"] = Field(
        "auto",
        description="who finds diseases, drugs and procedures; auto: scispaCy's en_core_sci_sm where it is installed, else our own",
    )
    written: Written = Written()
    entities: dict[Literal["disease", "drug", "procedure"], list[str]] = Field(
        default_factory=dict, description="fields of the study whose terms name a disease, drugs or a procedure"
    )
    bertscore: BertScore | None = Field(None, description="BERTScore against the source; absent: not computed")
