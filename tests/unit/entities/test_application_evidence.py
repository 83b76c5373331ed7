"""Evidence search: what is found, how it is cited, and that nothing but the caller sees words of notes."""

from __future__ import annotations

import datetime as dt
import logging
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from clinical_assets.cli.main import app
from clinical_assets.entities.applications.evidence import MAX_QUESTION, search
from clinical_assets.storage.contracts import LAKE_TABLES, NOTES
from clinical_assets.storage.entity_contracts import CORPUS_DOCUMENTS, MENTIONS
from clinical_assets.storage.lake import Lake

NOW = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
TEXTS = {
    1: "Started Glivec in May. Two weeks later severe vomiting after each dose. Blood pressure normal.",
    2: "No complaints. Imatinib 400 mg daily is tolerated well, no vomiting.",
    3: "Seen for a sprained ankle. Ibuprofen as needed.",
    4: "Seen for a sprained ankle. Ibuprofen as needed.",
    5: "Imatinib was stopped. \x1b[31m Rash\x1b[0m of both arms.",
    6: "Vomiting. Vomiting came with imatinib in the second week of treatment, as she says. Denies Imatinib abuse.",
    7: "Fever. Fever was seen today. He came with a long story that nobody of us who sat there could follow to the end.",
}


def sha(note_id: int) -> str:
    return f"{note_id:064d}"


def mention(note_id: int, word: str, key: str, assertion: str = "affirmed") -> dict[str, Any]:
    start = TEXTS[note_id].index(word)
    return {
        "note_id": note_id, "note_sha256": sha(note_id), "extractor": "gazetteer", "model_revision": "1", "adapter_sha": "", "prompt_sha": "",
        "decoding": "matcher", "person_id": note_id, "note_date": dt.date(2024, 1, note_id), "batch": "b1", "mention_index": 0,
        "start": start, "end": start + len(word), "entity_type": "chemical", "text": word, "normalised": word.lower(),
        "is_abbreviation": False, "assertion": assertion, "entity_key": key, "concept_id": 1, "concept_name": "imatinib",
        "linker_sha": "", "extracted_at": NOW, "run_id": "r",
    }  # fmt: skip


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = Lake(tmp_path / "lake")
    for table, schema in LAKE_TABLES.items():
        made.declare(table, schema)
    rows = [
        {"note_id": i, "person_id": i, "note_date": dt.date(2024, 1, i), "text": text, "text_sha256": sha(i), "n_chars": len(text),
         "status": "usable", "batch": "b1", "source_file_sha256": "0", "ingested_at": NOW}
        for i, text in TEXTS.items()
    ]  # fmt: skip
    made.write("notes/notes", pa.Table.from_pylist(rows, schema=NOTES), NOTES, batch="b1")
    found = [
        mention(1, "Glivec", "concept:1"),
        mention(2, "Imatinib", "concept:1"),
        mention(5, "Imatinib", "concept:1", "historical"),
    ]
    made.write("entities/mentions", pa.Table.from_pylist(found, schema=MENTIONS), MENTIONS, batch="b1")
    document = {
        "corpus": "c",
        "doc_id": "77",
        "split": "train",
        "text": "Imatinib causes vomiting.",
        "text_sha256": "0",
        "source_file": "f",
        "source_file_sha256": "0",
    }
    made.write("entities/corpus_documents", pa.Table.from_pylist([document], schema=CORPUS_DOCUMENTS), CORPUS_DOCUMENTS)
    return made


def test_passages_are_cited_by_id_and_offsets(lake: Lake) -> None:
    best = search(lake, "Vomiting with imatinib?", limit=10)
    assert {(p.source, p.doc_id) for p in best[:2]} == {("document", "77"), ("note", "2")}
    for passage in best:
        text = TEXTS[passage.note_id] if passage.note_id else "Imatinib causes vomiting."
        assert text[passage.start : passage.end] == passage.text
    assert [p.score for p in best] == sorted((p.score for p in best), reverse=True)


def test_another_name_of_the_entity_counts_and_its_assertion_is_told(lake: Lake) -> None:
    found = {(p.note_id, p.start): p for p in search(lake, "imatinib", documents=False)}
    assert found[1, 0].entities == (("concept:1", "affirmed"),)  # the sentence says Glivec
    assert found[1, 0].words == ()
    assert found[5, 0].entities == (("concept:1", "historical"),)


def test_a_short_sentence_is_no_better_for_being_short(lake: Lake) -> None:
    found = [p.text for p in search(lake, "vomiting imatinib", persons=[6])]
    assert found[0].startswith("Vomiting came with imatinib")
    scores = {p.text: p.score for p in search(lake, "fever", persons=[7])}
    assert scores["Fever."] == scores["Fever was seen today."] > 0


def test_the_assertion_of_a_note_that_nobody_extracted_is_told_too(lake: Lake) -> None:
    found = {p.text: p.entities for p in search(lake, "imatinib", persons=[6])}
    assert found["Denies Imatinib abuse."] == (("concept:1", "negated"),)
    assert [entities for text, entities in found.items() if "second week" in text] == [(("concept:1", "affirmed"),)]


def test_what_holds_more_of_the_question_comes_first_and_a_denial_is_told(lake: Lake) -> None:
    found = search(lake, "vomiting rash fever imatinib", documents=False)
    held = [len(p.words) + len(p.entities) for p in found]
    assert held == sorted(held, reverse=True)
    assert held[0] == 2
    note = next(p for p in found if p.note_id == 2 and "vomiting" in p.words)
    assert dict(note.said)["vomiting"] == "negated"
    assert all(not p.said for p in search(lake, "vomiting") if p.source == "document")


def test_copied_sentences_count_once_and_the_latest_is_cited(lake: Lake) -> None:
    found = search(lake, "ibuprofen")
    assert [(p.note_id, p.n_same) for p in found] == [(4, 2)]


def test_only_the_persons_asked_for_are_read(lake: Lake) -> None:
    assert {p.person_id for p in search(lake, "imatinib vomiting", persons=[1])} == {1}
    assert search(lake, "imatinib vomiting", persons=[99]) == []


@pytest.mark.parametrize(
    ("question", "problem"), [("", "no word"), ("what is the ...", "no word"), ("x" * (MAX_QUESTION + 1), "at most")]
)
def test_questions_that_cannot_be_asked(lake: Lake, question: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        search(lake, question)


@pytest.mark.parametrize(
    "question", ["' or imatinib=1 --", "imatinib'); drop table texts; --", "imatinib \\b.* (((", "vomiting \x00 \u202e"]
)
def test_odd_questions_are_only_words(lake: Lake, question: str) -> None:
    assert all("imatinib" in question or "vomiting" in p.text.lower() for p in search(lake, question))


def test_the_command_prints_without_control_characters_and_logs_nothing(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("CLINICAL_DATA", str(tmp_path))
    with caplog.at_level(logging.DEBUG):
        done = CliRunner().invoke(app, ["evidence", "rash after imatinib", "--limit", "3"])
    assert done.exit_code == 0, done.output
    assert "note 5:" in done.output
    assert "Rash" in done.output
    assert "\x1b" not in done.output
    assert "Rash" not in caplog.text
    assert "imatinib" not in caplog.text
    refused = CliRunner().invoke(app, ["evidence", "the"])
    assert refused.exit_code == 1
    assert "no word to look for" in refused.output
    assert "nothing found" in CliRunner().invoke(app, ["evidence", "zebra"]).output
