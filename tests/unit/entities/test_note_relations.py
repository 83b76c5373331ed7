"""Relations of notes: which rows there are, what stands for a pair, and that nothing is decided where nobody did."""

from __future__ import annotations

import datetime as dt
import hashlib

import pyarrow as pa
import pytest

from clinical_assets.entities.relations.batch import relate_batch
from clinical_assets.entities.relations.learning import Parameters, train_relations
from clinical_assets.entities.relations.listing import listed_judge
from clinical_assets.entities.relations.note_relations import relation_rows, trained_judge
from clinical_assets.entities.relations.verdicts import evidence_faults, n_without_mentions, worse_than_co_occurrence
from clinical_assets.storage.contracts import NOTES
from clinical_assets.storage.entity_contracts import MENTIONS
from clinical_assets.storage.lake import Lake
from tests.unit.entities.relation_texts import marked, written

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
DAY = dt.date(2020, 5, 4)


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def noted(text: str, note_id: int = 1, assertions: dict[str, str] | None = None) -> tuple[list[dict], str]:
    """Rows of mentions, as the extractor writes them, and the plain text; assertions by name of the mention."""
    document = marked(text)
    rows = []
    for index, placed in enumerate(document.mentions):
        one = placed.mention
        name = document.text[one.start : one.end]
        rows.append({
            "note_id": note_id, "note_sha256": sha(document.text), "extractor": "gazetteer", "model_revision": "r", "adapter_sha": "",
            "prompt_sha": "", "decoding": "matcher", "person_id": note_id + 100, "note_date": DAY, "batch": "b1", "mention_index": index,
            "start": one.start, "end": one.end, "entity_type": one.entity_type, "text": name, "normalised": name.lower(),
            "is_abbreviation": False, "assertion": (assertions or {}).get(name, "affirmed"), "reason": None, "section": None,
            "entity_key": f"text:{name.lower()}", "concept_id": None, "concept_name": None, "vocabulary_id": None, "concept_code": None,
            "link_score": None, "linker_sha": "", "confidence": None, "part": None, "influences": None, "extracted_at": NOW, "run_id": "r",
        })  # fmt: skip
    return rows, document.text


def related(text: str, judge=None, **kwargs) -> dict[tuple[str, str], dict]:
    rows, plain = noted(text, **kwargs)
    found = relation_rows(rows, {1: plain}, judge or trained_judge(None), made_at=NOW, run_id="r")
    return {(r["chemical_key"].removeprefix("text:"), r["disease_key"].removeprefix("text:")): r for r in found}


def test_without_a_model_the_wording_is_told_and_nothing_is_decided() -> None:
    found = related("[Imatinib]-induced {rash}. Later {fever}.")
    rash, fever = found["imatinib", "rash"], found["imatinib", "fever"]
    assert {(row["value"], row["probability"], row["threshold"], row["relation_model"]) for row in found.values()} == {
        (None, None, None, "none")
    }
    assert (rash["wording"], rash["n_shared_sentences"], rash["sentences_apart"]) == ("causes", 1, 0)
    assert (fever["wording"], fever["cue_start"], fever["n_shared_sentences"], fever["sentences_apart"]) == (
        "none",
        None,
        0,
        1,
    )


def test_a_model_decides_by_its_threshold() -> None:
    model = train_relations(*written(60), Parameters(n_trees=30, n_bags=1, n_folds=3, least_in_leaf=5))
    found = related(
        "[Cisplatin]-induced {tremor}. Patients with {mania} were given [heparin]. The [cisplatin] was stopped.",
        trained_judge(("f" * 32, model)),
    )
    assert found["cisplatin", "tremor"]["value"] is True
    assert found["heparin", "mania"]["value"] is False
    for row in found.values():
        assert row["relation_model"] == "lightgbm@" + "f" * 32
        assert row["value"] == (row["probability"] >= row["threshold"])


def listed(text: str, influences: dict[str, list[str]], parts: dict[str, int] | None = None) -> tuple[list[dict], str]:
    """Rows as a language model leaves them: which diseases it lists for a chemical, and the part in which a mention stands (0)."""
    rows, plain = noted(text)
    at = {row["text"]: row["start"] for row in reversed(rows)}
    for row in rows:
        row |= {"extractor": "llm", "model_revision": "1", "decoding": "constrained_list"}
        row["part"] = (parts or {}).get(row["text"], 0)
        if row["entity_type"] == "chemical":
            row["influences"] = [at[name] for name in influences.get(row["text"], ())]
    return rows, plain


def test_what_a_language_model_listed_is_held_and_what_it_was_not_asked_is_not_denied() -> None:
    text = "[Imatinib] and {rash} and {fever}. Then {gout} and [imatinib]. Last {cough}."
    rows, plain = listed(text, {"Imatinib": ["rash"], "imatinib": ["gout"]}, {"gout": 1, "imatinib": 1, "cough": 2})
    found = relation_rows(rows, {1: plain}, listed_judge(rows), made_at=NOW, run_id="r")
    values = {row["disease_key"]: row["value"] for row in found}
    assert values == {"text:rash": True, "text:fever": False, "text:gout": True, "text:cough": None}
    unread = relation_rows(
        rows, {1: plain}, listed_judge([{**row, "note_id": 2} for row in rows]), made_at=NOW, run_id="r"
    )
    assert {row["value"] for row in unread} == {None}


def test_a_batch_that_a_language_model_read_is_related_as_it_listed(tmp_path) -> None:
    lake = Lake(tmp_path)
    rows, plain = listed("[Imatinib] and {rash} and {fever}.", {"Imatinib": ["rash"]})
    lake.write("notes/notes", stored({1: plain}), NOTES, batch="b1")
    lake.write("entities/mentions", pa.Table.from_pylist(rows, MENTIONS), MENTIONS, batch="b1")
    model = train_relations(*written(60), Parameters(n_trees=10, n_bags=1, n_folds=3, least_in_leaf=5))
    done = relate_batch(lake, "b1", ("f" * 32, model), made_at=NOW, run_id="r")
    told = {row["disease_key"]: row for row in lake.read("entities/relations", "b1").to_pylist()}
    assert (done.relation_model, done.n_true, done.n_undecided) == ("llm@1", 1, 0)
    assert {key: row["value"] for key, row in told.items()} == {"text:rash": True, "text:fever": False}
    assert {(row["relation_model"], row["probability"], row["threshold"]) for row in told.values()} == {
        ("llm@1", None, None)
    }


@pytest.mark.parametrize("assertion", ["negated", "family", "hypothetical", "possible"])
def test_what_is_not_asserted_is_carried_with_its_assertion(assertion) -> None:
    found = related("[Imatinib] and {rash}.", assertions={"rash": assertion})
    assert found["imatinib", "rash"]["disease_assertion"] == assertion


def test_an_asserted_mention_is_the_evidence_before_a_nearer_denied_one() -> None:
    found = related(
        "No {rash} on [imatinib] in May. In June he had {Rash} with it, as all agree.", assertions={"rash": "negated"}
    )
    row = found["imatinib", "rash"]
    assert row["disease_assertion"] == "affirmed"
    assert row["sentences_apart"] == 1
    assert row["wording"] == "none"


def test_a_note_with_one_kind_of_mention_or_without_its_text_has_no_row() -> None:
    assert related("[Imatinib] and [aspirin].") == {}
    rows, _ = noted("[Imatinib] and {rash}.")
    assert list(relation_rows(rows, {}, trained_judge(None), made_at=NOW, run_id="r")) == []


def stored(notes: dict[int, str]) -> pa.Table:
    """Rows of notes with these texts, as intake stores them."""
    filled = {f.name: "" if pa.types.is_string(f.type) else 0 for f in NOTES if not f.nullable}
    rows = [
        {name: filled.get(name) for name in NOTES.names}
        | {"note_id": n, "person_id": n + 100, "note_date": DAY, "text": text, "text_sha256": sha(text), "n_chars": len(text),
           "status": "usable", "batch": "b1", "ingested_at": NOW}
        for n, text in notes.items()
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, NOTES)


@pytest.fixture
def lake(tmp_path) -> Lake:
    lake = Lake(tmp_path)
    first, one = noted("[Imatinib]-induced {rash}. No {fever}.", 1, {"fever": "negated"})
    second, two = noted("{CML}, on [imatinib].", 2)
    stale, three = noted("[Aspirin] and {gout}.", 3)
    lake.write("notes/notes", stored({1: one, 2: two, 3: three + " changed"}), NOTES, batch="b1")
    mentions = pa.Table.from_pylist([*first, *second, *stale], MENTIONS)
    lake.write("entities/mentions", mentions, MENTIONS, batch="b1")
    return lake


def test_a_batch_is_written_whole_and_mentions_of_an_old_text_have_no_relation(lake) -> None:
    done = relate_batch(lake, "b1", None, made_at=NOW, run_id="r")
    rows = lake.read("entities/relations", "b1").to_pylist()
    assert done.n_notes == 2
    assert done.n_undecided == len(rows) == 3
    assert done.n_true == 0
    assert {row["note_id"] for row in rows} == {1, 2}
    mentions = lake.read("entities/mentions", "b1").to_pylist()
    lengths = {row["note_id"]: row["n_chars"] for row in lake.read("notes/notes", "b1").to_pylist()}
    assert n_without_mentions(rows, mentions) == 0
    assert not any(evidence_faults(rows, lengths))
    again = relate_batch(lake, "b1", None, made_at=NOW, run_id="other")
    assert again.written.digest == done.written.digest


def test_faults_of_relations_are_counted(lake) -> None:
    relate_batch(lake, "b1", None, made_at=NOW, run_id="r")
    rows = lake.read("entities/relations", "b1").to_pylist()
    mentions = lake.read("entities/mentions", "b1").to_pylist()
    moved = [{**rows[0], "chemical_start": rows[0]["chemical_start"] + 1}, *rows[1:]]
    assert n_without_mentions(moved, mentions) == 1
    assert evidence_faults(rows, {1: 5}).n_outside_note == 3
    cut = [{**rows[0], "evidence_start": rows[0]["disease_start"] + 1}]
    assert evidence_faults(cut, {1: 99}).n_without_mentions == 1
    odd = [{**rows[0], "cue_start": None, "cue_end": None}]
    assert evidence_faults(odd, {1: 99}).n_cue_outside == 1


def test_a_model_no_better_than_co_occurrence_is_named() -> None:
    row = {"corpus": "c", "split": "dev", "task": "relations_gold_entities", "average": "micro"}
    scores = [{**row, "extractor": "lightgbm", "f1": 0.4}, {**row, "extractor": "co_occurrence_sentence", "f1": 0.4}]
    assert worse_than_co_occurrence(scores) == ["c dev relations_gold_entities lightgbm"]
    assert worse_than_co_occurrence([{**scores[0], "f1": 0.5}, scores[1]]) == []
