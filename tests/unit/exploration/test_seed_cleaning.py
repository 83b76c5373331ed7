"""The seed's cleaning, step by step, against NLTK where it needs no data, and its three tables."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_assets.exploration.cleaning_tables import CLEANED, clean_notes
from clinical_assets.exploration.seed_cleaning import clean, cleaned_text, noun_rules, words_of
from clinical_assets.storage.contracts import NOTES
from clinical_assets.storage.lake import Lake

NOTE = "HPI: No fever.\nImatinib 400 mg, 2 tablets daily; BP 120/80.\nTablet taken, not missed."


def test_digits_signs_and_negations_go_and_that_is_why_nothing_reads_it() -> None:
    assert cleaned_text(NOTE) == "hpi no fever imatinib mg tablets daily bp tablet taken not missed"
    done = clean([NOTE, None, "Fever, fever, fever. Tablets."])
    assert done.lemmas[0] == ["hpi", "fever", "imatinib", "mg", "tablet", "daily", "bp", "tablet", "taken", "missed"]
    # said at most twice in the corpus: out; fever (4) and tablet (3) stay
    assert done.filtered == [["fever", "tablet", "tablet"], None, ["fever", "fever", "fever", "tablet"]]
    assert (done.text[1], done.words[1], done.lemmatizer) == (None, None, "noun_rules")
    assert clean([NOTE], str.upper).lemmatizer == "wordnet"


def test_noun_rules_take_off_an_ending_only_where_the_rest_is_a_known_word() -> None:
    lemma = noun_rules({"biopsy", "dose", "woman", "mass", "wheeze", "rash"})
    assert [lemma(word) for word in ("biopsies", "doses", "women", "masses", "rashes", "mass", "diabetes", "ms")] == [
        "biopsy", "dose", "woman", "mass", "rash", "mass", "diabetes", "ms",
    ]  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from(["cannot", "gonna", "the", "can", "lemme", "fever", "s", "not"]), max_size=12))
def test_words_are_those_of_nltk(words: list[str]) -> None:
    treebank = pytest.importorskip("nltk.tokenize").NLTKWordTokenizer()
    assert words_of(" ".join(words)) == treebank.tokenize(" ".join(words))


def test_three_tables_of_the_notes_in_scope(tmp_path) -> None:
    lake = Lake(tmp_path)
    notes = [
        {
            **dict.fromkeys(NOTES.names), "note_id": k, "person_id": person, "note_date": date(2020, 1, k), "text": text,
            "text_sha256": hashlib.sha256(text.encode()).hexdigest(), "n_chars": len(text), "status": status, "batch": "b",
            "source_file_sha256": "x", "ingested_at": datetime(2026, 1, 1, tzinfo=UTC),
        }
        for k, person, text, status in ((1, 1, NOTE, "usable"), (2, 1, NOTE, "usable"), (3, 2, " ", "blank"), (4, 3, NOTE, "usable"))
    ]  # fmt: skip
    lake.write("notes/notes", pa.Table.from_pylist(notes, schema=NOTES), NOTES, batch="b")
    done = clean_notes(lake, {1, 2, 3})
    assert {name: lake.read(name).num_rows for name in CLEANED} == dict.fromkeys(CLEANED, 1)  # a text of a person once
    (row,) = lake.read("exploration/cleaned_full").to_pylist()
    assert (row["note_id"], row["input_length"], row["target"], row["final_target"]) == (1, 15, None, None)
    assert row["final_input"] == "hpi fever imatinib mg tablet daily bp tablet taken missed"
    assert lake.read("exploration/cleaned_text").column_names == ["note_id", "final_input", "final_target"]
    assert done.lengths["notes"]["cleaned"] == [12]
