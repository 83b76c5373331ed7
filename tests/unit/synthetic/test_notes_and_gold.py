"""Notes and gold: labels follow the text, offsets slice to the term, hard negatives are there."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict

import pyarrow as pa
import pytest

from clinical_assets.synthetic import Hospital, truth_table
from clinical_assets.synthetic.dice import Dice
from clinical_assets.synthetic.lexicon import LEXICON
from clinical_assets.synthetic.note_text import ASSERTIONS, FIELDS, Draft, validate_phrase
from clinical_assets.synthetic.phrases_cml import CML
from clinical_assets.synthetic.phrases_general import GENERAL, OBSTETRIC, RHEUM
from clinical_assets.synthetic.phrases_haem import HAEM, TRAPS

_IMATINIB = re.compile(r"imatinib|imatinb|gleevec|glivec|sti-?571", re.IGNORECASE)
_RELATED = re.compile(
    r"dasatinib|sprycel|nilotinib|tasigna|bosutinib|bosulif|ponatinib|iclusig|asciminib|scemblix", re.IGNORECASE
)


@pytest.fixture(scope="module")
def texts(hospital: Hospital) -> dict[int, str]:
    notes = pa.concat_tables(hospital.note_batches.values())
    return dict(zip(notes["note_id"].to_pylist(), notes["note_text"].to_pylist(), strict=True))


@pytest.fixture(scope="module")
def labels(hospital: Hospital) -> dict[int, dict[str, bool]]:
    found: dict[int, dict[str, bool]] = defaultdict(dict)
    for row in hospital.annotations["concept_labels"].to_pylist():
        found[row["note_id"]][row["field"]] = row["value"]
    return found


def test_every_usable_note_has_all_labels_and_no_other_has_any(
    hospital: Hospital, labels: dict[int, dict[str, bool]]
) -> None:
    for row in truth_table(hospital, "notes").to_pylist():
        assert (row["note_id"] in labels) == (row["status"] == "usable")
    assert all(tuple(values) == FIELDS for values in labels.values())


def test_digests_are_of_the_landed_text(hospital: Hospital, texts: dict[int, str]) -> None:
    for name in ("concept_labels", "entities", "reference_summaries"):
        table = hospital.annotations[name]
        pairs = set(zip(table["note_id"].to_pylist(), table["text_sha256"].to_pylist(), strict=True))
        for note_id, digest in pairs:
            assert hashlib.sha256(texts[note_id].encode()).hexdigest() == digest


@pytest.mark.parametrize("field", FIELDS)
def test_both_classes_of_each_field(labels: dict[int, dict[str, bool]], field: str) -> None:
    positive = sum(values[field] for values in labels.values())
    assert positive >= 30
    assert len(labels) - positive >= 30


def test_mention_fields_say_what_the_text_says(texts: dict[int, str], labels: dict[int, dict[str, bool]]) -> None:
    for note_id, values in labels.items():
        text = texts[note_id]
        assert values["imatinib_mentioned"] == bool(_IMATINIB.search(text)), note_id
        assert values["related_drugs_mentioned"] == bool(_RELATED.search(text)), note_id


def test_hard_negatives(hospital: Hospital, texts: dict[int, str], labels: dict[int, dict[str, bool]]) -> None:
    archetypes = {row["note_id"]: row["archetype"] for row in truth_table(hospital, "notes").to_pylist()}
    counted: Counter[str] = Counter()
    for note_id, values in labels.items():
        archetype, text = archetypes[note_id], texts[note_id]
        if not archetype.startswith("cml_") or archetype == "cml_ruled_out":
            for field in ("cml_diagnosed", "cml_in_regression", "blast_phase_cml", "acute_phase_cml"):
                assert not values[field], (note_id, field)
            counted["CML named, not the patient's"] += "CML" in text
        if archetype == "gist_imatinib":
            counted["GIST on imatinib"] += values["imatinib_mentioned"]
        if archetype != "aml":
            assert not values["aml_diagnosed"]
            counted["AML named, not the patient's"] += "AML" in text
        if archetype in ("sickle_trait", "marrow_donor", "family_history", "control"):
            assert not values["bmt_history"]
            counted["SCT as trait"] += "SCT" in text
            counted["MMR as vaccine"] += "MMR" in text
        if values["cml_diagnosed"] and not values["bmt_history"]:
            counted["transplant not done"] += "transplant" in text.lower()
    assert min(counted.values()) >= 8, counted
    assert counted["GIST on imatinib"] >= 100


def test_a_cml_patients_note_may_leave_the_diagnosis_out(
    hospital: Hospital, labels: dict[int, dict[str, bool]]
) -> None:
    archetypes = {row["note_id"]: row["archetype"] for row in truth_table(hospital, "notes").to_pylist()}
    silent = sum(
        not values["cml_diagnosed"] for note_id, values in labels.items() if archetypes[note_id] == "cml_imatinib"
    )
    assert silent >= 100


def test_entities_slice_to_a_surface_of_their_concept(hospital: Hospital, texts: dict[int, str]) -> None:
    surfaces: dict[tuple[str, int | None], set[str]] = defaultdict(set)
    for term in LEXICON.values():
        surfaces[term.kind, term.concept_id].update(term.surfaces)
    kinds: Counter[str] = Counter()
    for row in hospital.annotations["entities"].to_pylist():
        found = texts[row["note_id"]][row["start"] : row["end"]]
        assert found in surfaces[row["entity_type"], row["concept_id"]], (row, found)
        assert row["assertion"] in ASSERTIONS
        kinds[row["assertion"]] += 1
    assert set(kinds) == set(ASSERTIONS)
    assert min(kinds.values()) >= 50


def test_odd_notes_are_there(hospital: Hospital, texts: dict[int, str]) -> None:
    status = Counter(truth_table(hospital, "notes")["status"].to_pylist())
    assert set(status) == {"usable", "blank", "stub", "scanned_pointer", "not_english"}
    assert sum(len(text) > 20_000 for text in texts.values()) >= 3
    assert any("\r\n" in text for text in texts.values())
    assert any(text.startswith("<html>") for text in texts.values())
    long_texts = Counter(text for text in texts.values() if len(text) > 200)
    assert sum(count > 1 for count in long_texts.values()) >= 10
    assert any("copied from" in text for text in texts.values())


def test_no_placeholder_is_left(texts: dict[int, str]) -> None:
    for text in texts.values():
        assert "[[" not in text
        assert "{" not in text
        assert " @" not in text
        assert not re.search(r"\b(DRUG|PAST|OTHER|PROBLEM(?! LIST)|(?<!CHIEF )COMPLAINT|ADVERSE)\b", text)


def test_every_summary_is_shorter_than_its_note_and_numbers_come_from_it(
    hospital: Hospital, texts: dict[int, str]
) -> None:
    summaries = hospital.annotations["reference_summaries"]
    assert summaries.num_rows > 8_000
    for row in summaries.to_pylist():
        text = texts[row["note_id"]]
        for number in re.findall(r"\d+(?:\.\d+)?", row["summary"].replace("ABL1", "").replace("BCR::", "")):
            assert number in text, (row["note_id"], number)


def test_every_phrase_is_valid() -> None:
    banks = [phrases for bank in (CML, GENERAL, HAEM, OBSTETRIC, RHEUM) for phrases in bank.values()]
    for phrase in [phrase for phrases in [*banks, TRAPS] for phrase in phrases]:
        validate_phrase(phrase)
    with pytest.raises(ValueError, match="no_such_term"):
        validate_phrase("A [[no_such_term]].")


@pytest.mark.parametrize(("newline", "html"), [("\n", False), ("\r\n", False), ("\n", True)])
def test_draft_offsets_survive_line_ends_and_markup(newline: str, html: bool) -> None:
    draft = Draft(Dice(1), {"x": "a < b\n"}, typo_rate=0.0)
    draft.say("One\n{x}No [[bmt|negated]], has [[gist]] & takes [[imatinib]] @cml")
    done = draft.finish(newline=newline, html=html)
    assert [entity.key for entity in done.entities] == ["gist", "imatinib"]
    for entity in done.entities:
        assert done.text[entity.start : entity.end] in LEXICON[entity.key].surfaces
    assert {name for name, value in done.labels.items() if value} == {"cml_diagnosed", "imatinib_mentioned"}
