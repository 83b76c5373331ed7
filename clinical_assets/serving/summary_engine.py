"""Summaries of texts in two extractive stages: what the assets summaries/*_extractive do for a note."""

from __future__ import annotations

from typing import Any

from clinical_assets.serving.engines import engine_info
from clinical_assets.serving.models import SummariesReply, SummariesResult, Summary
from clinical_assets.serving.prepare import Prepared
from clinical_assets.study.model import Study
from clinical_assets.summaries.extraction import extractor_for
from clinical_assets.summaries.source import note_source
from clinical_assets.summaries.stages import COMPRESSED, VERBOSE, settings_sha, summary_row
from clinical_assets.summaries.vocabulary import Vocabulary

__all__ = ["SummaryEngine"]

_SAME = (
    "status",
    "text",
    "n_tokens_in",
    "n_tokens_out",
    "n_entities",
    "n_entities_kept",
    "n_numeric",
    "n_numeric_kept",
)


class SummaryEngine:
    """Both stages, a text at a time: with ``unit: person_window`` a text is still summarized alone."""

    def __init__(self, study: Study, vocabulary: Vocabulary) -> None:
        self._rules = study.summaries.model_copy(update={"unit": "note"})
        alone = study.model_copy(update={"summaries": self._rules})
        self._shas = {stage: settings_sha(stage, alone, vocabulary) for stage in (VERBOSE, COMPRESSED)}
        self._extractor = extractor_for(vocabulary)
        identity = {stage.summarizer: sha for stage, sha in self._shas.items()}
        self.info = engine_info("extractive_two_stage", identity)

    def answer(self, prepared: Prepared) -> SummariesReply:
        """Return two summaries per text."""
        results = [
            SummariesResult(**prepared.read(index), summaries=self._both(row, prepared.sections_of[index]))
            for index, row in enumerate(prepared.rows)
        ]
        return SummariesReply(engine=self.info, results=results)

    def _both(self, note: dict[str, Any], sections: list[Any]) -> list[Summary]:
        source = note_source(note, sections)
        given: dict[str, Any] = {"rules": self._rules, "extractor": lambda: self._extractor}
        verbose = summary_row(VERBOSE, source, None, sha=self._shas[VERBOSE], **given)
        compressed = summary_row(COMPRESSED, source, verbose, sha=self._shas[COMPRESSED], **given)
        return [
            Summary.model_validate({"stage": stage, **{name: row[name] for name in _SAME}})
            for stage, row in (("verbose", verbose), ("compressed", compressed))
        ]
