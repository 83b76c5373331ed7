"""Both stages on what is not a clinical note: nothing, one line, another language, no facts, a loop."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime

import pytest

from clinical_assets.storage.contracts import SECTIONS
from clinical_assets.storage.lake import Lake
from clinical_assets.summaries.clauses import compress
from clinical_assets.summaries.extractive import summarize
from clinical_assets.summaries.source import Source, SourceNote
from clinical_assets.summaries.spans import render
from clinical_assets.summaries.stages import COMPRESSED, VERBOSE, summarize_batch
from clinical_assets.summaries.text_metrics import count_tokens
from clinical_assets.summaries.vocabulary import vocabulary_of
from tests.unit.summaries.test_batches import NOTES, rows

GERMAN = (
    "Der Patient hat seit 2014 eine chronische Leukämie. Er nimmt Imatinib 400 mg täglich. Kein Fieber, kein Husten."
)
LOOP = "The patient feels well today. " * 60


def both(extractor, text: str, ratio: float = 0.9):
    source = Source(1, 1, (SourceNote(1, text, hashlib.sha256(text.encode()).hexdigest(), ()),), "ready")
    facts = {1: extractor.extract(text)}
    first = summarize(source, facts, ratio=ratio, max_tokens=4000)
    second = compress(source, first.spans, facts, extractor.extract, ratio=0.6)
    return render(source.texts, first.spans), render(source.texts, second.spans), first, second


def test_statuses_of_a_batch_say_what_cannot_be_summarized(tmp_path, study) -> None:
    lake, day, texts = Lake(tmp_path), date(2020, 1, 1), ["", GERMAN, "CML.", "Hb 12.1. Feels well. Came by bus."]
    notes = list(zip((1, 2, 3, 4), texts, ("blank", "not_english", "usable", "usable"), strict=True))
    lake.write("notes/notes", rows("b", *((i, i, day, text, status) for i, text, status in notes)), NOTES, batch="b")
    lake.write("notes/sections", SECTIONS.empty_table(), SECTIONS, batch="b")
    for stage in (VERBOSE, COMPRESSED):
        summarize_batch(
            lake, stage, study, "b", {1, 2, 3, 4}, lambda: vocabulary_of(study), run_id="r", made_at=datetime(2026, 1, 2, tzinfo=UTC)
        )  # fmt: skip
        made = {row["note_id"]: row for row in lake.read(stage.table, "b").to_pylist()}
        assert [made[i]["text"] is None for i in (1, 2, 3, 4)] == [True, True, False, False]
        assert [made[i]["status"] for i in (1, 2, 3)] == ["no_text", "not_english", "one_line"]
        assert (made[1]["n_tokens_out"], made[2]["n_tokens_out"], made[3]["text"]) == (0, 0, "CML.")


@pytest.mark.parametrize("text", ["", " \n ", "."])
def test_an_empty_source_has_an_empty_summary(extractor, text) -> None:
    first, second, draft, _ = both(extractor, text)
    assert (first, second) == (text.strip(), text.strip())
    assert draft.status == "one_line"


def test_a_first_stage_shorter_than_the_target_is_not_made_longer(extractor) -> None:
    """Two sentences of three tokens: the numbers alone are longer than 60 % of it."""
    first, second, _, draft = both(extractor, "Hb 12. WBC 4.", 1.0)
    assert count_tokens(second) <= count_tokens(first)
    assert draft.status == "over_target"
    assert {"Hb 12", "WBC 4"} <= {part.strip(". ") for part in second.split(".")}


def test_another_language_keeps_its_numbers_and_drugs(extractor) -> None:
    """A text that was taken for English all the same: nothing is translated, nothing invented."""
    _, second, _, draft = both(extractor, GERMAN)
    assert draft.status in {"summarized", "over_target"}
    assert "2014" in second
    assert "Imatinib 400 mg" in second


def test_a_text_without_facts_is_shortened_to_its_opening(extractor) -> None:
    text = "She came by bus. The weather was fine. They talked about gardens and long walks. Nothing else was said."
    assert extractor.extract(text) == []
    first, second, draft, shortened = both(extractor, text)
    assert first
    assert draft.status == "summarized"
    assert count_tokens(second) <= 0.6 * count_tokens(first)
    assert second  # a summary of something is not nothing
    assert shortened.status == "summarized"


def test_a_loop_is_short_and_said_once_in_the_end(extractor) -> None:
    first, second, _, draft = both(extractor, LOOP)
    assert count_tokens(first) <= 0.9 * count_tokens(LOOP)
    assert second.count("feels well") <= 1
    assert draft.status in {"summarized", "one_line"}
