"""A language model as an extractor: places of what it lists, parts of long notes, training examples, and one wording for both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical_assets.entities.choice import choose_extractor, opened
from clinical_assets.entities.concepts import Vocabulary
from clinical_assets.entities.extraction import Found
from clinical_assets.entities.lister import studys_lister
from clinical_assets.entities.llm_extractor import LlmExtractor, choose_llm, occurrences
from clinical_assets.entities.llm_task import answer_of, entity_examples, train_lister
from clinical_assets.entities.wording import ENTITY_LISTS, ENTITY_PROMPT
from clinical_assets.language_models.adapter_pointers import point_at
from clinical_assets.language_models.adapter_store import read_card
from clinical_assets.language_models.catalogue import ENTITIES_TASK, load_catalogue
from clinical_assets.language_models.devices import find_device
from clinical_assets.language_models.list_writing import Listed
from clinical_assets.language_models.loading import ModelError
from clinical_assets.settings import Settings
from clinical_assets.storage.entity_contracts import CORPUS_DOCUMENTS, CORPUS_MENTIONS, CORPUS_RELATIONS
from clinical_assets.storage.lake import Lake
from tests.unit.entities.conftest import study_of
from tests.unit.language_models.lora_bench import SETTINGS, entry, save_base

IDENTITY = {
    "extractor": "fake",
    "model_revision": "1",
    "adapter_sha": "",
    "prompt_sha": "p",
    "decoding": "constrained_list",
}


class Fake:
    """Lists words that it knows; fails where a text says so."""

    def __init__(self, room: int = 10_000, influences: Sequence[tuple[str, str]] = ()) -> None:
        self.room, self.asked, self.influences = room, list[str](), influences

    def token_count(self, text: str) -> int:
        return len(text)

    def write(self, texts: Sequence[str]) -> Iterator[tuple[int, Listed]]:
        for index in reversed(range(len(texts))):
            text = texts[index]
            self.asked.append(text)
            if "truncated" in text:
                yield index, Listed(None, "truncated", 1, 1)
                continue
            drugs = tuple((word,) for word in ("imatinib", "made up") if word in text or word == "made up")
            diseases = tuple((word,) for word in ("chronic leukemia", "leukemia") if word in " ".join(text.split()))
            pairs = tuple(pair for pair in self.influences if pair[1] in " ".join(text.split()))
            yield index, Listed((drugs, diseases, pairs), n_input_tokens=2, n_output_tokens=3)


def test_every_place_of_what_is_listed_is_a_mention_the_longest_first() -> None:
    text = "Chronic Leukemia: chronic\nleukemia, leukemia; imatinib, imatinibs."
    said = next(LlmExtractor(Fake(), IDENTITY).extract([text]))
    assert [(text[one.start : one.end], one.entity_type) for one in said.found] == [
        ("chronic\nleukemia", "disease"),
        ("leukemia", "disease"),
        ("imatinib", "chemical"),
    ]
    assert (said.status, said.n_dropped, said.n_input_tokens, said.n_output_tokens) == ("extracted", 1, 2, 3)


def test_a_long_note_is_read_in_parts_and_one_that_fails_leaves_nothing_known() -> None:
    text = "He has leukemia.\n" * 20 + "On imatinib."
    fake = Fake(room=100)
    said = next(LlmExtractor(fake, IDENTITY).extract([text]))
    assert len(fake.asked) > 3
    assert max(map(len, fake.asked)) <= 100
    assert [one.start for one in said.found] == [text.index("leukemia", k * 17) for k in range(20)] + [
        text.index("imatinib")
    ]
    failed = next(LlmExtractor(Fake(room=100), IDENTITY).extract([text + " truncated"]))
    assert (failed.status, failed.found) == ("truncated", ())
    assert next(LlmExtractor(fake, IDENTITY).extract([" \n "])).status == "no_text"


def test_an_influence_is_told_by_places_of_its_part_and_dropped_where_an_end_is_not_listed() -> None:
    text = "He has chronic\nleukemia. imatinib, then imatinib. Again chronic leukemia."
    pairs = [("imatinib", "chronic leukemia"), ("imatinib", "leukemia"), ("made up", "chronic leukemia")]
    said = next(LlmExtractor(Fake(influences=pairs[:1]), IDENTITY).extract([text]))
    first = text.index("chronic")
    assert [(one.entity_type, one.part, one.influences) for one in said.found] == [
        ("disease", 0, None),
        ("chemical", 0, (first,)),
        ("chemical", 0, (first,)),
        ("disease", 0, None),
    ]
    dropped = next(LlmExtractor(Fake(influences=pairs), IDENTITY).extract([text])).n_dropped
    assert dropped == said.n_dropped + 2, "leukemia stands nowhere but in a longer name, and made up not at all"
    none = next(LlmExtractor(Fake(), IDENTITY).extract([text]))
    assert [one.influences for one in none.found] == [None, (), (), None]


def test_influences_of_later_parts_point_into_the_whole_text() -> None:
    text = "Nothing here at all.\n" * 5 + "On imatinib: leukemia."
    said = next(LlmExtractor(Fake(room=60, influences=[("imatinib", "leukemia")]), IDENTITY).extract([text]))
    chemical, disease = said.found
    assert chemical.influences == (disease.start,)
    assert text[disease.start : disease.end] == "leukemia"
    assert chemical.part == disease.part
    assert chemical.part


@given(
    st.lists(st.sampled_from(["a", "ab", "b+", "(c)", "a ab", " ", "\n", "-"]), max_size=30).map(" ".join),
    st.lists(st.tuples(st.sampled_from(["a", "ab", "b+", "(c)", "a ab", "zz"]), st.sampled_from(["chemical", "disease"])), max_size=6),
)  # fmt: skip
def test_places_stand_in_the_text_and_do_not_overlap(text: str, names: list[tuple[str, str]]) -> None:
    found, n_missing = occurrences(text, names)
    known = {(" ".join(name.split()), kind) for name, kind in names}
    edge = 0
    for one in found:
        assert edge <= one.start < one.end <= len(text)
        assert (" ".join(text[one.start : one.end].split()), one.entity_type) in known
        edge = one.end
    assert 0 <= n_missing <= len(known)
    assert occurrences(text, names) == (found, n_missing)


def test_signs_at_the_ends_of_a_name_do_not_hide_it() -> None:
    assert occurrences("(-)-nicotine, Ph+.", [("(-)-nicotine", "chemical"), ("Ph+", "disease")])[0] == [
        Found(0, 12, "chemical"),
        Found(14, 17, "disease"),
    ]


# --- training ---------------------------------------------------------------------------------------------------------

TEXT = "Imatinib caused edema in chronic\nleukemia. Imatinib was stopped."


def corpus(lake: Lake, n: int = 30) -> None:
    """Documents with one disease each, every fifth without any."""
    documents, mentions = [], []
    for k in range(n):
        text = f"Case {k}: he has a cough." if k % 5 else f"Case {k}: nothing at all."
        split = ["train", "train", "train", "dev", "test"][k % 5 if k % 5 else (k // 5) % 5]
        documents.append(
            {
                "corpus": "c", "doc_id": str(k), "split": split, "text": text, "text_sha256": "x", "source_file": "f",
                "source_file_sha256": "x",
            }
        )  # fmt: skip
        if k % 5:
            start = text.index("cough")
            mentions.append(
                {
                    "corpus": "c",
                    "doc_id": str(k),
                    "start": start,
                    "end": start + 5,
                    "entity_type": "disease",
                    "concept_codes": ["D1"],
                }
            )
    lake.write("entities/corpus_documents", pa.Table.from_pylist(documents, schema=CORPUS_DOCUMENTS), CORPUS_DOCUMENTS)
    lake.write("entities/corpus_mentions", pa.Table.from_pylist(mentions, schema=CORPUS_MENTIONS), CORPUS_MENTIONS)
    lake.write("entities/corpus_relations", CORPUS_RELATIONS.empty_table(), CORPUS_RELATIONS)


def test_an_answer_names_what_is_annotated_as_it_stands_in_the_text() -> None:
    def at(words: str, kind: str, code: str, nth: int = 0) -> dict[str, Any]:
        start = -1
        for _ in range(nth + 1):
            start = TEXT.index(words, start + 1)
        return {"start": start, "end": start + len(words), "entity_type": kind, "concept_codes": [code]}

    mentions = [
        at("Imatinib", "chemical", "C1", 1), at("chronic\nleukemia", "disease", "D2"), at("edema", "disease", "D1"), at("Imatinib", "chemical", "C1"),
    ]  # fmt: skip
    relations = [{"chemical_code": "C1", "disease_code": "D1"}, {"chemical_code": "C1", "disease_code": "D9"}]
    answer = answer_of(TEXT, mentions, relations)
    assert answer == "chemicals:\n- Imatinib\ndiseases:\n- edema\n- chronic leukemia\ninfluences:\n- Imatinib | edema"
    assert ENTITY_LISTS.parse(answer) is not None
    assert answer_of(TEXT, [], []) == "chemicals: none\ndiseases: none\ninfluences: none"


def test_articles_stand_on_one_side_tests_on_none_and_negatives_are_kept(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    corpus(lake)
    train, validation = entity_examples(lake)
    splits = {row["doc_id"]: row["split"] for row in lake.read("entities/corpus_documents").to_pylist()}
    assert {splits[example.group] for example in train} == {"train"}
    assert {splits[example.group] for example in validation} == {"dev"}
    assert any(example.target == ENTITY_LISTS.render([[], [], []]) for example in train)
    documents = lake.read("entities/corpus_documents")
    no_dev = documents.set_column(2, documents.schema.field(2), pa.array(["train"] * documents.num_rows))
    again = pa.concat_tables([no_dev, no_dev.set_column(0, no_dev.schema.field(0), pa.array(["d"] * no_dev.num_rows))])
    lake.write("entities/corpus_documents", again, CORPUS_DOCUMENTS)
    train, validation = entity_examples(lake)
    assert validation
    assert not {example.group for example in train} & {example.group for example in validation}
    assert len(train) + len(validation) == 60


@pytest.fixture(scope="module")
def base(tmp_path_factory: Any) -> Path:
    return save_base(tmp_path_factory.mktemp("base"))


def test_an_adapter_is_trained_promoted_and_asked_with_its_own_wording(base: Path, tmp_path: Path) -> None:
    lake, models = Lake(tmp_path / "lake"), tmp_path / "models"
    corpus(lake)
    tiny_entry = entry(model=str(base), tasks=["entities", "adapters"])
    made = train_lister(
        lake, tiny_entry, SETTINGS.model_copy(update={"epochs": 1, "max_tokens": 900}), models=models, device=find_device("cpu")
    )  # fmt: skip
    card = read_card(made.adapter.folder)
    assert (card.task, card.prompt_sha, made.promoted) == (
        ENTITIES_TASK,
        ENTITY_PROMPT.sha256,
        made.loss < card.base_validation_loss,
    )
    assert made.promoted, "one epoch teaches the form of an answer"
    study = study_of(extractor="tiny", max_new_tokens=150)
    chosen = choose_extractor(
        study, Vocabulary({}, ()), models, {"tiny": lambda: choose_llm(tiny_entry, models, 150, "cpu")}
    )
    assert chosen.identity["adapter_sha"] == made.adapter.digest
    text = "Case 9: he has a cough."
    lines: list[str] = []
    with opened(chosen, lines.append) as extractor:
        for said in extractor.extract([text, text]):
            assert said.status in {"extracted", "truncated"}
            assert all(text[one.start : one.end] in text for one in said.found)
            assert said.n_input_tokens
    assert any("promoted adapter" in line for line in lines)
    # an adapter of another wording is refused, not used
    path = made.adapter.folder / "adapter_card.json"
    path.write_text(path.read_text().replace(ENTITY_PROMPT.sha256, "0" * 64))
    with pytest.raises(ModelError), opened(chosen, lines.append):
        pass
    point_at(models, ENTITIES_TASK, tiny_entry, "promoted", "f" * 64)
    with pytest.raises((ModelError, OSError)), opened(choose_llm(tiny_entry, models, 150, "cpu"), lines.append):
        pass


def test_the_studys_language_model_is_opened_to_be_judged_and_nothing_where_it_has_none(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    with studys_lister(study_of(), settings, print) as lister:
        assert lister is None
    with (
        pytest.raises(ModelError, match="llama_3_2_3b"),
        studys_lister(study_of(extractor="llama_3_2_3b"), settings, lambda line: None),
    ):
        pass


def test_the_catalogue_has_the_models_of_the_seed_for_entities() -> None:
    offered = {one.name: one for one in load_catalogue().for_task("entities", "adapters")}
    assert {"llama_3_2_3b", "biomistral_7b"} <= set(offered)
    assert offered["llama_3_2_3b"].model == "meta-llama/Llama-3.2-3B-Instruct"
    assert offered["biomistral_7b"].model == "BioMistral/BioMistral-7B"
    for one in offered.values():
        made = one.lora_settings
        assert (made.rank, made.alpha, len(made.target)) == (16, 32, 7)
