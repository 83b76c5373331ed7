"""Adapters of the question: a sweep is decided by validation rows, the folds are those of all models, saved settings are those asked for."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clinical_assets.language_models.adapter_store import AdapterCard, publish_adapter
from clinical_assets.language_models.loading import ModelError
from clinical_assets.language_models.lora import TrainedAdapter
from clinical_assets.language_models.lora_settings import LoraSettings
from clinical_assets.prediction import language_chain
from clinical_assets.prediction.chain import run_constants
from clinical_assets.prediction.compare import compare
from clinical_assets.prediction.export.chats import export_chats
from clinical_assets.prediction.language import PredictionTask
from clinical_assets.prediction.language_chain import fine_tune, refuse_other_settings, settings_to_try
from clinical_assets.prediction.rows import QuestionError
from clinical_assets.prediction.splits import fold_as_test
from clinical_assets.storage.lake import Lake
from tests.unit.prediction.asking import question, table
from tests.unit.prediction.test_models import DEMO, NOW, Scripted, put


def saved(folder: Path, settings: LoraSettings, *, peft_rank: int | None = None) -> AdapterCard:
    weights = folder.with_name(f"{folder.name}_weights")
    weights.mkdir(parents=True)
    (weights / "adapter_model.safetensors").write_bytes(b"weights")
    config = {"r": peft_rank or settings.rank, "lora_alpha": settings.alpha, "lora_dropout": settings.dropout}
    (weights / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    facts = {
        "digest": folder.name, "task": "prediction", "model": DEMO.name, "base": "b", "base_revision": "v1", "prompt_sha": "p",
        "train_digest": "t", "validation_digest": "v", "n_train": 1, "n_validation": 1, "n_cut": 0, "settings": settings,
        "base_validation_loss": 1.0, "history": [], "losses": [], "best_epoch": 1, "stopped": "finished", "n_steps": 1, "seconds": 1.0,
        "tokens_per_second": 1.0, "peak_bytes": 1, "n_trainable": 1, "n_parameters": 1, "device": "cpu", "versions": {},
    }  # fmt: skip
    return publish_adapter(folder, weights, facts, "readme")


class Workshop:
    """Trains nothing; the AUROC of validation is better the nearer the rate is to 3e-4."""

    def __init__(self) -> None:
        self.tasks: list[tuple[PredictionTask, LoraSettings]] = []

    def train(
        self, entry: Any, task: PredictionTask, settings: LoraSettings, *, models: Path, **rest: Any
    ) -> TrainedAdapter:
        self.tasks.append((task, settings))
        folder = models / f"adapter{len(self.tasks)}"
        saved(folder, settings)
        area = 0.9 - abs(settings.learning_rate - 3e-4) * 100
        return TrainedAdapter(
            folder, folder.name, False, ({"epoch": 1.0, "auroc": area},), 1, 1.0, 1.0, 1, "finished", 1, 1, 1
        )


def test_a_sweep_is_decided_by_validation_rows_and_folds_are_those_of_all_models(tmp_path: Path, monkeypatch) -> None:
    sweep = [{"learning_rate": rate, "rank": rank} for rate, rank in ((1e-4, 4), (3e-4, 8), (9e-4, 16))]
    it = put({"fine_tuning": {"preset": "demo", "sweep": sweep, "folds": True}}, columns=table(200, 2, signal=1.2))
    lake, shop, opened = Lake(tmp_path / "lake"), Workshop(), list[str]()
    monkeypatch.setattr(language_chain, "train_adapter", shop.train)

    @contextlib.contextmanager
    def opening(digest: str) -> Iterator[Scripted]:
        opened.append(digest)
        yield Scripted(it.question.name)

    run_constants(lake, it, **NOW)
    given: dict[str, Any] = {"models": tmp_path, "base_folder": None, "device": None, **NOW}
    _, made = fine_tune(lake, it, DEMO, opening, **given)
    assert made.digest == "adapter2"
    assert [s.rank for _, s in shop.tasks] == [4, 8, 16, 8, 8, 8]  # three tried, and the winner once a fold
    facts = lake.read("prediction/models", DEMO.adapted_labeller).to_pylist()[0]
    assert json.loads(facts["settings"])["rank"] == 8
    assert json.loads(facts["settings"])["n_tried"] == 3
    test = set(it.assigned.rows("test").tolist())
    for fold, (task, _) in enumerate(shop.tasks[3:]):
        mine = set(it.assigned.parts(0, fold)[1].tolist())
        learnt = {int(e.example_id.split("#")[0]) for e in task.train}
        chose = {int(e.example_id.split("#")[0]) for e in task.validation}
        assert not (learnt | chose) & (mine | test)
        assert not learnt & chose
        assert learnt | chose == set(range(it.dataset.n)) - mine - test
        assert not {e.group for e in task.train} & {str(it.dataset.groups[i]) for i in mine}
    found = compare(lake, it, [])
    one = next(j for j in found.judged if j.model == DEMO.adapted_labeller and j.design == "cross_validation")
    assert one.rows.tolist() == it.assigned.rows("train", "validation").tolist()
    assert one.score.shape[0] == 1  # the first repeat, whose folds all share
    rows = lake.read("prediction/predictions", DEMO.adapted_labeller).to_pylist()
    assert {r["fold"] for r in rows if r["design"] == "cross_validation"} == {0, 1, 2}
    assert {r["row_id"] for r in rows if r["design"] == "held_out"} == {
        it.dataset.ids[i] for i in it.assigned.rows("validation", "test")
    }
    n = len(opened)
    shop.tasks.clear()
    monkeypatch.setattr(
        shop, "train", lambda *a, **k: pytest.fail("never")
    )  # the same adapters are found, and nothing is asked twice
    monkeypatch.setattr(language_chain, "train_adapter", lambda e, t, s, **k: made)
    monkeypatch.setattr(language_chain, "refuse_other_settings", lambda *a: None)
    fine_tune(lake, it, DEMO, opening, **given)
    assert len(opened) == n


def test_chats_are_those_of_the_splits_and_only_training_shows_the_rarer_answer_again(tmp_path: Path) -> None:
    it = put()
    export_chats(it, tmp_path / "chats")
    found = {
        split: [
            json.loads(line)["messages"] for line in (tmp_path / "chats" / f"{split}.jsonl").read_text().splitlines()
        ]
        for split in ("train", "validation", "test")
    }
    users = {split: [chat[1]["content"] for chat in chats] for split, chats in found.items()}
    assert not set(users["train"]) & set(users["validation"]) | set(users["train"]) & set(users["test"])
    assert len(users["test"]) == it.assigned.rows("test").size
    assert len(users["validation"]) == it.assigned.rows("validation").size
    said = [chat[2]["content"] for chat in found["train"]]
    assert said.count('{"removal": true}') == said.count('{"removal": false}')
    assert len({e.text for e in PredictionTask(DEMO, it.question, it.dataset, it.assigned).train}) == len(
        set(users["train"])
    )
    assert not any("nan" in text for texts in users.values() for text in texts)
    assert (tmp_path / "chats" / "train.jsonl").stat().st_mode & 0o077 == 0
    export_chats(it, tmp_path / "again")
    for split in found:
        name = f"{split}.jsonl"
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "chats" / name).read_bytes()


def test_a_fold_that_is_judged_teaches_nobody() -> None:
    it = put()
    apart = fold_as_test(it.assigned, 1)
    assert apart.rows("test").tolist() == it.assigned.parts(0, 1)[1].tolist()
    assert not set(apart.rows("train", "validation")) & set(it.assigned.rows("test"))
    assert set(apart.rows("validation")) <= set(it.assigned.rows("validation"))


def test_an_adapter_that_was_saved_with_other_settings_is_refused(tmp_path: Path) -> None:
    """The published comparison printed rank 16 beside adapters of rank 8."""
    asked_for = LoraSettings(rank=16, alpha=32)
    saved(tmp_path / "right", asked_for)
    refuse_other_settings(DEMO, tmp_path / "right", asked_for)
    saved(tmp_path / "wrong", asked_for, peft_rank=8)
    with pytest.raises(ModelError, match=r"r: 8, asked for 16; remove the folder"):
        refuse_other_settings(DEMO, tmp_path / "wrong", asked_for)
    with pytest.raises(ModelError, match="other settings than were asked for"):
        refuse_other_settings(DEMO, tmp_path / "right", LoraSettings(rank=16, alpha=32, learning_rate=1e-6))


def test_a_setting_that_does_not_exist_is_said_before_anything_is_trained() -> None:
    with pytest.raises(QuestionError, match=r"prediction.fine_tuning: rang: .*settings are: rank"):
        settings_to_try(question(fine_tuning={"settings": {"rang": 4}}), DEMO)
    with pytest.raises(QuestionError, match="no preset 'gone'"):
        settings_to_try(question(fine_tuning={"preset": "gone"}), DEMO)
    tried = settings_to_try(question(fine_tuning={"preset": "seed_rct", "sweep": [{"rank": 4}, {"rank": 32}]}), DEMO)
    assert [(s.rank, s.epochs) for s in tried] == [(4, 7), (32, 7)]
