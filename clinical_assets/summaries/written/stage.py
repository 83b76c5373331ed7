"""Which model writes which stage, from which input, asked in which words, and what tells its summaries from others."""

from __future__ import annotations

from dataclasses import dataclass

from clinical_assets.language_models.answers import sha256
from clinical_assets.language_models.catalogue import Catalogue, ModelEntry, SummaryStage
from clinical_assets.language_models.decoding import Decoding, decoding_of
from clinical_assets.language_models.prompts import Prompt
from clinical_assets.study.model import Study
from clinical_assets.study.summarizing import Summaries
from clinical_assets.summaries.extraction import EXTRACTOR_VERSION
from clinical_assets.summaries.stages import Stage

__all__ = ["Wordings", "WrittenStage", "settings_sha", "wordings_of", "written_stages"]

# Raise it whenever the same model, text and settings could give another summary.
_VERSION = "1"


@dataclass(frozen=True)
class WrittenStage:
    """One model as the writer of one stage. `follows` says whose stage 1 is shortened; None for stage 1."""

    entry: ModelEntry
    stage: SummaryStage
    follows: str | None = None

    @property
    def name(self) -> str:
        """The table's name, and how its writer is named in rows."""
        return f"{self.stage}_{self.entry.name}"

    @property
    def as_stage(self) -> Stage:
        """Table and summarizer."""
        return Stage(f"summaries/{self.name}", self.name)

    @property
    def put_by(self) -> str:
        """The table that holds what a run has written so far."""
        return f"summaries_put_by/{self.name}"

    @property
    def first_table(self) -> str | None:
        """The table whose summaries are shortened."""
        return f"summaries/verbose_{self.follows}" if self.follows else None

    def decoding(self, rules: Summaries) -> Decoding:
        """How tokens are chosen."""
        return decoding_of(
            rules.written.verbose_decoding if self.stage == "verbose" else rules.written.compressed_decoding
        )


@dataclass(frozen=True)
class Wordings:
    """The prompts of a study."""

    verbose: Prompt
    combine: Prompt
    compress: Prompt
    refine: Prompt


def written_stages(catalogue: Catalogue) -> list[WrittenStage]:
    """Return what the models of a catalogue write, stage 1 first."""
    first = [WrittenStage(entry, "verbose") for entry in catalogue.writing("verbose")]
    second = [
        WrittenStage(entry, "compressed", catalogue.compressed_by(entry)) for entry in catalogue.writing("compressed")
    ]
    return [*first, *second]


def wordings_of(rules: Summaries) -> Wordings:
    """Return a study's prompts, lacking only the texts."""
    given = rules.written.wording
    percent = f"{rules.compressed_ratio * 100:.0f}"
    steps = {
        name: Prompt(step.system.format(percent=percent).strip(), step.user.strip())
        for name, step in ((n, getattr(given, n)) for n in ("verbose", "combine", "compress", "refine"))
    }
    return Wordings(**steps)


def settings_sha(stage: WrittenStage, study: Study, revision: str, adapter: str, vocabulary_sha: str) -> str:
    """Return the digest of everything but the texts that a summary depends on.

    The vocabulary of facts counts for stage 2 alone, which is steered by it; in stage 1 facts are only counted.
    """
    rules, words = study.summaries, wordings_of(study.summaries)
    said = [_VERSION, stage.name, revision, adapter, stage.entry.dtype, stage.entry.template_text()]
    said += [str(stage.entry.context_length), str(stage.entry.max_thinking_tokens), repr(stage.decoding(rules))]
    said += [rules.unit, str(rules.window_days if rules.unit == "person_window" else "")]
    if stage.stage == "verbose":
        said += [words.verbose.sha256, str(rules.written.verbose_max_new_tokens), rules.written.parts]
        said += [words.combine.sha256] if rules.written.parts == "combine" else []
        return sha256(*said, str(rules.verbose_ratio))
    limits = rules.written.model_dump(
        include={
            "compressed_max_new_tokens",
            "rounds",
            "entity_retention",
            "numeric_retention",
            "named_facts",
            "least_tokens",
        }
    )
    said += [words.compress.sha256, words.refine.sha256, str(sorted(limits.items())), str(stage.follows)]
    return sha256(*said, str(rules.compressed_ratio), EXTRACTOR_VERSION, vocabulary_sha)
