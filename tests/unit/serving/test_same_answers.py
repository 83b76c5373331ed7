"""What the server answers is what the assets write for the same texts."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from clinical_assets.entities.batch import extract_batch
from clinical_assets.entities.choice import choose_extractor
from clinical_assets.entities.concepts import Vocabulary
from clinical_assets.entities.linker import Linker
from clinical_assets.labels.batch import label_batch
from clinical_assets.labels.regex_labels import label_identity, label_notes
from clinical_assets.notes.digests import content_digest
from clinical_assets.notes.intake import intake_batch
from clinical_assets.notes.locate import locate_batch
from clinical_assets.notes.offsets import to_raw
from clinical_assets.notes.store import store_intake
from clinical_assets.serving.models import Mention
from clinical_assets.serving.openings import deployment_engines
from clinical_assets.serving.prepare import prepare
from clinical_assets.settings import Settings
from clinical_assets.storage.lake import Lake
from clinical_assets.summaries.stages import COMPRESSED, VERBOSE, summarize_batch
from clinical_assets.summaries.vocabulary import vocabulary_of
from tests.hospital import CML, NONE, note
from tests.unit.serving.conftest import BEARER

NOW = datetime(2024, 1, 1, tzinfo=UTC)
SPANISH = (
    "El paciente refiere dolor en el pecho desde hace tres días y no presenta fiebre ni tos, sin antecedentes. " * 3
)
TEXTS = [
    CML,
    NONE,
    "",
    " \n\t",
    "short",
    SPANISH,
    CML.replace("\n", "\r\n").replace("patient", "pat\x00ient"),
    "\u202e" + CML.replace("imatinib", "imat\u200binib") + "\ud83d lone \udc00",
    "<p>" + CML.replace("\n", "<br/>") + "</p>",
    "See scanned document.",
    "Denies imatinib. " * 400,
]


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory, study):
    """The same texts by intake, labels and summaries of a batch, read back from the lake."""
    from tests.hospital import Hospital

    hospital = Hospital(tmp_path_factory.mktemp("batch") / "data")
    hospital.land("b1", *(note(number, 1, text) for number, text in enumerate(TEXTS)))
    lake, path = Lake(hospital.data / "lake"), locate_batch(hospital.notes, "b1")
    intake = intake_batch(
        path, root=hospital.notes, batch="b1", digest=content_digest(path), mapping=study.notes, limits=study.limits,
        persons=None, ingested_at=NOW, guarded=False,
    )  # fmt: skip
    for _ in store_intake(lake, intake, run_id="run"):
        pass
    label = partial(label_notes, sections=lake.read("notes/sections", "b1"), study=study, run_id="run", labelled_at=NOW)
    label_batch(lake, "labels/regex", "b1", label_identity(study, "regex"), label, lambda line: None)
    for stage in (VERBOSE, COMPRESSED):
        summarize_batch(
            lake, stage, study, "b1", range(len(TEXTS)), lambda: vocabulary_of(study), run_id="run", made_at=NOW
        )
    return lake


def body(texts: list[str]) -> dict:
    # what Python's json cannot send as it is, it sends as an escape: lone surrogates too
    return {"content": json.dumps({"texts": [{"id": str(n), "text": text} for n, text in enumerate(texts)]})}


@pytest.fixture
def ask(client):
    def go(path: str, texts: list[str] = TEXTS) -> dict:
        answer = client.post(path, headers={**BEARER, "Content-Type": "application/json"}, **body(texts))
        assert answer.status_code == 200, answer.text
        return answer.json()

    return go


def test_texts_are_stored_and_sent_the_same_way(ask, batch: Lake) -> None:
    stored = batch.read("notes/notes", "b1").to_pylist()
    for row, found in zip(stored, ask("/labels")["results"], strict=True):
        assert found["id"] == str(row["note_id"])
        assert found["text_sha256"] == row["text_sha256"]
        assert found["note_status"] == row["status"]
        assert found["conversions"] == (row["conversions"] or [])


def test_labels_are_those_of_the_asset(ask, batch: Lake) -> None:
    maps = {row["note_id"]: row["offset_map"] for row in batch.read("notes/notes", "b1").to_pylist()}
    reply, rows = ask("/labels"), batch.read("labels/regex", "b1").to_pylist()
    assert reply["engine"]["identity"] == {name: rows[0][name] for name in reply["engine"]["identity"]}
    answers = {(int(r["id"]), label["field"]): label for r in reply["results"] for label in r["labels"]}
    assert len(answers) == len(rows)
    for row in rows:
        answer = answers[row["note_id"], row["field"]]
        for name in ("value", "status", "mentioned", "asserted", "assertion", "reason"):
            assert answer[name] == row[name]
        if row["evidence_start"] is None:
            assert (answer["start"], answer["end"]) == (None, None)
        else:
            steps = [(anchor["stored"], anchor["raw"]) for anchor in maps[row["note_id"]] or []]
            assert answer["start"] == to_raw(steps, row["evidence_start"])
            assert answer["end"] == to_raw(steps, row["evidence_end"] - 1) + 1


def test_summaries_are_those_of_the_assets(ask, batch: Lake) -> None:
    reply = ask("/summaries")
    for stage, table in (("verbose", VERBOSE), ("compressed", COMPRESSED)):
        rows = batch.read(table.table, "b1").to_pylist()
        assert reply["engine"]["identity"][table.summarizer] == rows[0]["settings_sha"]
        for row in rows:
            answer = next(s for s in reply["results"][row["note_id"]]["summaries"] if s["stage"] == stage)
            for name in ("status", "text", "n_tokens_in", "n_tokens_out", "n_entities_kept", "n_numeric_kept"):
                assert answer[name] == row[name]


def test_entities_are_those_of_the_assets(batch: Lake, study, start, tmp_path: Path) -> None:
    by_names = study.model_copy(update={"entities": study.entities.model_copy(update={"extractor": "gazetteer"})})
    nothing = Vocabulary({}, ())
    chosen, linker = choose_extractor(by_names, nothing, tmp_path), Linker(nothing, tmp_path)
    extract_batch(batch, chosen, linker, by_names, "b1", range(len(TEXTS)), run_id="run", extracted_at=NOW)
    engine = deployment_engines(Settings(data=tmp_path), by_names).get("entities")
    reply = engine.answer(prepare([str(n) for n in range(len(TEXTS))], TEXTS, study.limits))
    notes, rows = (batch.read(f"entities/{name}", "b1").to_pylist() for name in ("notes", "mentions"))
    assert len(rows) > 20
    assert {name: reply.engine.identity[name] for name in ("model_revision", "decoding")} == {
        name: notes[0][name] for name in ("model_revision", "decoding")
    }
    for note_row in notes:
        result = reply.results[note_row["note_id"]]
        assert result.status == note_row["status"]
        own = [row for row in rows if row["note_id"] == note_row["note_id"]]
        assert len(result.mentions or []) == len(own)
        for mention, row in zip(result.mentions or [], own, strict=True):
            for name in set(Mention.model_fields) - {"start", "end"}:
                assert getattr(mention, name) == row[name]
            sent = TEXTS[note_row["note_id"]][mention.start : mention.end]
            assert sent.replace("\u200b", "") == row["text"]


def test_offsets_are_those_of_the_text_as_sent(ask) -> None:
    for result, sent in zip(ask("/entities")["results"], TEXTS, strict=True):
        for mention in result["mentions"] or []:
            found = sent[mention["start"] : mention["end"]]
            assert found.replace("\u200b", "") == "imatinib"


def test_what_is_not_read_is_never_an_empty_answer(ask) -> None:
    for result in ask("/entities", [*TEXTS, "TOO LONG " * 20])["results"]:
        assert (result["mentions"] is None) == (result["status"] != "extracted")
        assert (
            result["status"] == {"usable": "extracted"}.get(result["note_status"], "no_text")
            or result["status"] == "too_long"
        )
    for result in ask("/labels")["results"]:
        if result["note_status"] != "usable":
            assert {(label["value"], label["status"]) for label in result["labels"]} == {(None, "no_text")}


def test_an_answer_does_not_depend_on_the_other_texts(ask) -> None:
    for path in ("/labels", "/summaries", "/entities"):
        together = ask(path)["results"]
        for index in (0, 6, 8):
            alone = ask(path, [TEXTS[index]])["results"][0]
            assert {**alone, "id": ""} == {**together[index], "id": ""}


def test_the_batch_endpoint_gives_the_answers_of_the_others(client, ask) -> None:
    sent = {"tasks": ["summaries", "labels"], "texts": [{"id": "0", "text": CML}]}
    reply = client.post("/batch", json=sent, headers=BEARER).json()
    assert reply == {"entities": None, "labels": ask("/labels", [CML]), "summaries": ask("/summaries", [CML])}
