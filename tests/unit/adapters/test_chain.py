"""From human labels to an adapter that labels, with answers that are told beforehand instead of models."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from clinical_assets.adapters import chain
from clinical_assets.adapters.chain import check_settings, compare_with_base, promote, settings_of, train_for_labels
from clinical_assets.adapters.gold_notes import gold_notes
from clinical_assets.adapters.label_task import LabelTask
from clinical_assets.adapters.retraining import new_since_training, why_train
from clinical_assets.labels.adapter_choice import adapter_for
from clinical_assets.labels.model_labels import question_of
from clinical_assets.language_models.adapter_pointers import point_at, pointed_at
from clinical_assets.language_models.adapter_store import AdapterCard, adapter_digest, adapter_folder
from clinical_assets.language_models.answers import Answer, AnswerSchema, Request
from clinical_assets.language_models.catalogue import ModelEntry, load_catalogue
from clinical_assets.language_models.devices import Device
from clinical_assets.language_models.loading import ModelError
from clinical_assets.language_models.lora import TrainedAdapter
from clinical_assets.storage.contracts import LABELS
from clinical_assets.storage.lake import Lake
from clinical_assets.study.fine_tuning import FineTuning
from clinical_assets.study.load import StudyError, load_study
from clinical_assets.study.model import Study
from tests.unit.adapters.annotated import FIELDS, Annotated

NOW, LATER = datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC)
CPU = Device("cpu", "CPU", 10**10, False)


@pytest.fixture
def entry() -> ModelEntry:
    return load_catalogue().entry("demo_mistral")


@pytest.fixture
def study() -> Study:
    whole = load_study()
    asked = [rule.model_copy(update={"ask_models": rule.name in FIELDS}) for rule in whole.fields]
    asked.sort(key=lambda rule: FIELDS.index(rule.name) if rule.name in FIELDS else 99)
    return whole.model_copy(update={"fields": asked, "fine_tuning": FineTuning()})


@pytest.fixture
def lake(annotated: Annotated) -> Lake:
    for note_id in range(60):
        split = ("train", "validation", "test")[note_id // 2 % 3]
        annotated.add(
            note_id,
            split,
            [note_id % 2 == 0, note_id % 3 == 0],
            text=f"{note_id % 2 == 0} {note_id % 3 == 0} #{note_id}",
        )
    return annotated.write()


def right(gold: list[bool]) -> list[bool | None]:
    return [*gold]


class Reads:
    """Answers from the first words of a text, as `says` turns them."""

    decoding, room = "told", 10_000

    def __init__(self, schema: AnswerSchema, says: Callable[[list[bool]], list[bool | None]]) -> None:
        self.schema, self.says = schema, says

    def answer(self, requests: Sequence[Request]) -> Iterator[tuple[int, Answer]]:
        for index, request in enumerate(requests):
            values = tuple(self.says([word == "True" for word in request.text.split()[:2]]))
            failed = None in values
            yield index, Answer("parse_error" if failed else "labelled", values, (None if failed else 0.9,) * 2)

    def token_count(self, text: str) -> int:
        return len(text)

    def close(self) -> None:
        pass


@pytest.fixture
def steps(lake: Lake, entry: ModelEntry, study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The chain with a training that only writes a card, and backends that answer what they are told to."""
    models = tmp_path / "models"
    opened: list[str | None] = []

    def trained(entry, task, settings, *, models, base_folder, device, log) -> TrainedAdapter:
        digest = adapter_digest(entry, "base-1", task, settings)
        folder = adapter_folder(models, task.name, entry, digest)
        folder.mkdir(parents=True, exist_ok=True)
        history = [{"epoch": 1, "step": 3, "loss": 0.5, "validation_loss": 0.4, "macro_f1": 0.7, "learning_rate": 0.1}]
        card = AdapterCard(
            digest=digest, task=task.name, model=entry.name, base="recipe mistral", base_revision="base-1", prompt_sha=task.prompt.sha256,
            train_digest="t", validation_digest="v", n_train=len(task.train), n_validation=len(task.validation), n_cut=0,
            settings=settings, files={}, history=history, losses=[0.6, 0.5, 0.4], base_validation_loss=0.6, best_epoch=1, stopped="finished", n_steps=3,
            seconds=1.0, tokens_per_second=10.0, peak_bytes=1, n_trainable=5, n_parameters=100, device="CPU", versions={},
        )  # fmt: skip
        (folder / "adapter_card.json").write_text(card.model_dump_json(), encoding="utf-8")
        return TrainedAdapter(folder, digest, False, tuple(history), 3, 1.0, 10.0, 1, "finished", 1, 5, 100)

    monkeypatch.setattr(chain, "train_adapter", trained)

    class Steps:
        def train(self, given: Study = study, at: datetime = NOW):
            return train_for_labels(
                lake,
                entry,
                given,
                set(),
                models=models,
                base_folder=None,
                device=CPU,
                trained_at=at,
                run_id="r",
                log=lambda line: None,
            )

        def compare(self, adapter_says: Callable[[list[bool]], list[bool | None]]):
            @contextlib.contextmanager
            def backend(adapter: str | None) -> Iterator[Reads]:
                opened.append(adapter)
                schema = question_of(study, entry).schema
                yield Reads(schema, (lambda gold: [False, False]) if adapter is None else adapter_says)

            return compare_with_base(
                lake, entry, study, set(), backend, models=models, labelled_at=NOW, run_id="r", log=lambda line: None
            )  # fmt: skip

        def promote(self) -> str:
            return promote(lake, entry, models=models, promoted_at=NOW, run_id="r")

    made = Steps()
    made.models, made.opened = models, opened  # type: ignore[attr-defined]
    return made


def test_what_is_trained_is_registered_and_becomes_the_candidate(steps, lake: Lake, entry: ModelEntry) -> None:
    trained = steps.train()
    row = lake.read_all("adapters/trained").to_pylist()[0]
    assert row["adapter_sha"] == trained.adapter.digest == pointed_at(steps.models, "labels", entry, "candidate")
    assert (row["n_train"], row["n_validation"], row["n_available"], row["task"], row["model"]) == (
        20,
        20,
        40,
        "labels",
        entry.name,
    )
    assert '"rank"' in row["settings"]
    (epoch,) = lake.read_all("adapters/epochs").to_pylist()
    assert (epoch["epoch"], epoch["metric"], epoch["is_best"]) == (1, 0.7, True)
    assert pointed_at(steps.models, "labels", entry, "promoted") is None


def test_base_and_adapter_answer_the_same_notes_and_a_better_one_labels(steps, lake: Lake, entry: ModelEntry) -> None:
    digest = steps.train().adapter.digest
    compared = steps.compare(list)
    assert steps.opened == [None, digest]
    assert compared.verdict.promotable
    answers = lake.read_all("adapters/answers").to_pylist()
    by_variant = {v: {(a["note_id"], a["field"]) for a in answers if a["variant"] == v} for v in ("base", "adapter")}
    assert by_variant["base"] == by_variant["adapter"]
    assert len(by_variant["base"]) == 20 * len(FIELDS)
    assert all(a["value"] == a["gold"] for a in answers if a["variant"] == "adapter")
    assert steps.promote() == digest == pointed_at(steps.models, "labels", entry, "promoted")
    steps.promote()  # again: it labels already
    assert lake.read_all("adapters/promotions").num_rows == 1


def test_a_worse_adapter_is_refused_and_the_one_that_labels_stays(steps, lake: Lake, entry: ModelEntry) -> None:
    (steps.models / "adapters_labels_demo_mistral").mkdir(parents=True)
    point_at(steps.models, "labels", entry, "promoted", "an earlier one")
    digest = steps.train().adapter.digest
    with pytest.raises(ModelError, match="not compared with its base"):
        steps.promote()
    assert not steps.compare(lambda gold: [None, None]).verdict.promotable
    with pytest.raises(ModelError, match="is not promoted: the improvement in macro F1"):
        steps.promote()
    assert pointed_at(steps.models, "labels", entry, "promoted") == "an earlier one"
    verdict = lake.read_all("adapters/verdicts").to_pylist()[0]
    assert (verdict["adapter_sha"], verdict["promotable"]) == (digest, False)
    assert "macro F1" in verdict["reasons"]
    failed = [a for a in lake.read_all("adapters/answers").to_pylist() if a["variant"] == "adapter"]
    assert {(a["value"], a["status"]) for a in failed} == {(None, "parse_error")}


def test_every_adapter_keeps_its_rows_when_another_one_comes(steps, lake: Lake, study: Study) -> None:
    first = steps.train().adapter.digest
    steps.compare(list)
    other = study.model_copy(update={"fine_tuning": FineTuning(max_train=10)})
    second = steps.train(other).adapter.digest
    assert first != second
    assert set(lake.read_all("adapters/trained")["adapter_sha"].to_pylist()) == {first, second}
    assert set(lake.read_all("adapters/scores")["adapter_sha"].to_pylist()) == {first}


def test_without_a_training_nothing_is_compared_or_promoted(steps) -> None:
    with pytest.raises(ModelError, match="no adapter was trained for it yet; materialize adapters/labels_demo_mistral"):
        steps.compare(list)
    with pytest.raises(ModelError, match="no adapter was trained"):
        steps.promote()


def test_an_adapter_is_due_at_first_with_another_base_and_with_enough_new_labels(
    steps, lake: Lake, entry: ModelEntry, study: Study, annotated: Annotated
) -> None:
    def why(given: Study = study, base: str = "base-1") -> str | None:
        return why_train(lake, steps.models, entry, given, base)

    assert why() == "there is none yet"
    steps.train()
    assert why() is None
    assert why(base="base-2") == "its base is another one now"
    for note_id in range(100, 105):
        annotated.add(note_id, "train", [True, False], batch="two", seen=LATER)
    annotated.add(106, "test", [True, False], batch="two", seen=LATER)
    annotated.add(107, "train", [None, False], batch="two", seen=LATER)
    annotated.write()
    assert new_since_training(lake, steps.models, entry, study) == 5
    assert why() is None  # the study says: by hand
    wishes = study.model_copy(update={"fine_tuning": FineTuning(retrain="on_new_labels", min_new=5)})
    assert why(wishes) == "5 notes were annotated since it was trained"
    assert why(wishes.model_copy(update={"fine_tuning": FineTuning(retrain="on_new_labels", min_new=6)})) is None
    steps.train(at=datetime(2026, 1, 4, tzinfo=UTC))
    assert new_since_training(lake, steps.models, entry, study) == 0
    assert why(wishes) is None


def test_automation_keeps_the_adapter_of_a_batch_and_a_person_gets_the_promoted_one(
    steps, lake: Lake, entry: ModelEntry
) -> None:
    folder = steps.models / "adapters_labels_demo_mistral"
    (folder / ("a" * 16)).mkdir(parents=True)

    def choice(*, keep: bool) -> str | None:
        return adapter_for(lake, steps.models, entry, "one", keep=keep)

    assert choice(keep=True) is choice(keep=False) is None
    point_at(steps.models, "labels", entry, "promoted", "b" * 64)
    assert choice(keep=True) == choice(keep=False) == "b" * 64
    row = {column.name: "x" for column in LABELS if column.type == pa.string()}
    row |= {"note_id": 1, "person_id": 1, "adapter_sha": "a" * 64, "labelled_at": NOW}
    lake.write("labels/llm_demo_mistral_lora", pa.Table.from_pylist([row], LABELS), LABELS, batch="one")
    assert choice(keep=True) == "a" * 64
    assert choice(keep=False) == "b" * 64
    (folder / ("a" * 16)).rmdir()
    assert choice(keep=True) == "b" * 64


def test_a_pointer_that_cannot_be_read_labels_nothing(steps, lake: Lake, entry: ModelEntry) -> None:
    steps.train()
    path = steps.models / "adapters_labels_demo_mistral" / "promoted.json"
    path.write_text("{half", encoding="ascii")
    with pytest.raises(ModelError, match=r"promoted.json cannot be read.*promotion again"):
        adapter_for(lake, steps.models, entry, "one", keep=False)


def test_the_study_replaces_settings_of_the_preset_and_wrong_ones_are_named(entry: ModelEntry, study: Study) -> None:
    def settings(**given: object):
        return settings_of(entry, study.model_copy(update={"fine_tuning": FineTuning(settings={entry.name: given})}))

    assert settings(rank=4).rank == 4
    assert settings(rank=4).learning_rate == entry.lora_settings.learning_rate
    with pytest.raises(StudyError, match=r"fine_tuning\.settings\.demo_mistral\.rnak: .*settings are: rank, alpha"):
        settings(rnak=4)
    with pytest.raises(StudyError, match=r"fine_tuning\.settings\.demo_mistral\.rank"):
        settings(rank=0)


def test_a_model_that_has_no_adapter_is_named_with_the_one_that_was_meant(entry: ModelEntry, study: Study) -> None:
    wrong = study.model_copy(update={"fine_tuning": FineTuning(settings={"demo_mistrall": {"epochs": 2}})})
    with pytest.raises(StudyError, match=r"fine_tuning\.settings\.demo_mistrall: .*did you mean 'demo_mistral'"):
        check_settings(wrong, [entry])
    check_settings(study, [entry])


def test_the_task_spells_answers_as_the_prompt_does_and_finds_what_decides(
    lake: Lake, entry: ModelEntry, study: Study
) -> None:
    question = question_of(study, entry)
    task = LabelTask(entry, question, gold_notes(lake, question.schema.fields, set(), FineTuning()), 0.1)
    example = next(e for e in task.train if e.example_id == "0")
    assert example.target == '{"imatinib_mentioned": true, "cml_diagnosed": true}'
    assert [example.target[a:b] for a, b in task.decides(example.target)] == ["true", "true"]
    assert example.group == "0"
