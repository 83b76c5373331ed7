"""Classical models, decisions, and the chain in a lake: nothing of a judged row is learnt, one failure stops nobody."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clinical_assets.language_models.answers import Answer, AnswerSchema, Request
from clinical_assets.language_models.catalogue import load_catalogue
from clinical_assets.prediction.chain import run_classical, run_constants, run_stacked
from clinical_assets.prediction.classical import constant_predictions, fit, oversampled, predict_everywhere
from clinical_assets.prediction.compare import compare
from clinical_assets.prediction.importance import coefficients, permutation_importance
from clinical_assets.prediction.judging import judge
from clinical_assets.prediction.language import PredictionTask, asked
from clinical_assets.prediction.language_chain import ask_language_model
from clinical_assets.prediction.report import prediction_figures, prediction_report
from clinical_assets.prediction.rows import QuestionError
from clinical_assets.prediction.splits import assign
from clinical_assets.prediction.store import Asked, keep_rows
from clinical_assets.statistics.roc import auroc
from clinical_assets.storage.lake import Lake
from tests.unit.prediction.asking import dataset, question, table

NOW: dict[str, Any] = {"made_at": datetime(2026, 1, 1, tzinfo=UTC), "run_id": "r"}
DEMO = load_catalogue().entry("demo_mistral")


def put(question_changes: dict[str, Any] | None = None, **changes: Any) -> Asked:
    q = question(**(question_changes or {}))
    data = dataset(**changes, **(question_changes or {}))
    return Asked(q, data, assign(data, q.splits), data.digest(q))


@pytest.mark.parametrize("name", ["lasso", "elastic_net", "random_forest", "lightgbm"])
def test_models_find_the_signal_in_the_same_folds(name: str) -> None:
    data = dataset(table(240, 1, signal=2.0))
    found = assign(data, question().splits)
    model, predicted = predict_everywhere(name, data, found, balance="weights", seed=1)
    folds = {(p.repeat, p.fold): p for p in predicted if p.design == "cross_validation"}
    assert set(folds) == {(repeat, fold) for repeat in (0, 1) for fold in (0, 1, 2)}
    for (repeat, fold), part in folds.items():
        assert part.rows.tolist() == found.parts(repeat, fold)[1].tolist()
    out = np.zeros(data.n)
    for part in folds.values():
        if part.repeat == 0:
            out[part.rows] = part.probability
    rows = found.rows("train", "validation")
    assert auroc(data.y[rows], out[rows]) > 0.8
    # class weights are undone: probabilities are those of the patients as they come
    assert abs(out[rows].mean() - data.y[rows].mean()) < 0.08
    importance = {
        row["feature"]: row for row in permutation_importance(model, data, found.rows("validation"), repeats=3, seed=0)
    }
    assert max(importance.values(), key=lambda row: row["value"])["feature"] == "hb"


def test_nothing_of_a_judged_row_reaches_its_model() -> None:
    """Other outcomes and features on the test rows change no prediction, but those of the rows themselves."""
    first, columns = dataset(), table()
    found = assign(first, question().splits)
    test = found.rows("test")
    _, before = predict_everywhere("lasso", first, found, balance="weights", seed=1)
    other = dataset(
        {
            **columns,
            "removal": [
                "Yes" if (v == "No") == (i in set(test.tolist())) else "No" for i, v in enumerate(columns["removal"])
            ],
        }
    )
    assert (other.y[test] != first.y[test]).all()
    _, after = predict_everywhere("lasso", other, found, balance="weights", seed=1)
    for a, b in zip(before, after, strict=True):
        assert a.probability == pytest.approx(b.probability, abs=0)


def test_imputation_and_scale_are_learnt_from_training_rows() -> None:
    columns = table()
    data = dataset(columns)
    found = assign(data, question().splits)
    train, test = found.rows("train"), found.rows("test")
    spoilt = {name: list(values) for name, values in data.columns.items()}
    for row in test:
        spoilt["age"][row] = 1e6
    given: dict[str, Any] = {"balance": "none", "seed": 0, "chosen": {"C": 1.0}}
    clean = fit("lasso", data.features, data.columns, data.y, train, **given)
    dirty = fit("lasso", data.features, spoilt, data.y, train, **given)
    assert clean.weights() == pytest.approx(dirty.weights(), abs=0)


def test_a_category_that_training_did_not_have_is_none_of_the_known_ones_and_counted() -> None:
    data = dataset()
    found = assign(data, question().splits)
    train, judged = found.rows("train"), found.rows("test")
    columns = {name: list(values) for name, values in data.columns.items()}
    for row in judged[:4]:
        columns["site"][row] = "moon"
    model = fit("random_forest", data.features, columns, data.y, train, balance="weights", seed=0)
    assert model.n_unseen(columns, judged) == 4
    sites = [j for j, name in enumerate(model.columns) if name.startswith("site_")]
    assert (model.matrix(columns, judged[:4])[:, sites] == 0).all()
    assert np.isfinite(model.predict(columns, judged)).all()


def test_oversampling_repeats_rows_of_the_rarer_answer_and_no_others() -> None:
    y = np.repeat([1, 0], [10, 34])
    rows = np.arange(4, 44)
    more = oversampled(rows, y, 7)
    assert set(more.tolist()) == set(rows.tolist())
    assert (y[more] == 1).sum() == (y[more] == 0).sum() == 34
    assert np.unique(more[y[more] == 0], return_counts=True)[1].max() == 1
    assert sorted(np.unique(more[y[more] == 1], return_counts=True)[1].tolist()) == [5, 5, 6, 6, 6, 6]


def test_coefficients_have_limits_and_the_signal_keeps_its_place() -> None:
    data = dataset(table(240, 1, signal=2.0))
    found = assign(data, question().splits)
    train = found.rows("train")
    model = fit("lasso", data.features, data.columns, data.y, train, balance="weights", seed=0)
    rows = {row["feature"]: row for row in coefficients(model, data, train, seed=0, n_draws=40)}
    assert set(rows) == set(model.columns)
    assert 0 < rows["hb"]["low"] < rows["hb"]["value"] < rows["hb"]["high"]
    assert rows["hb"]["share_nonzero"] == 1
    assert rows["age"]["low"] <= 0 <= rows["age"]["high"]


def test_constants_know_no_patient() -> None:
    data = dataset()
    found = assign(data, question().splits)
    for name, said in (("always_yes", 1.0), ("always_no", 0.0), ("prevalence", data.y[found.rows("train")].mean())):
        held = constant_predictions(name, data, found)[0]
        assert set(held.probability.tolist()) == {said}


def test_threshold_is_chosen_on_validation_rows_and_what_is_missing_is_wrong() -> None:
    ids, y = [f"p{i}" for i in range(40)], np.tile([1, 0], 20)
    split = np.repeat(["train", "validation", "test"], [10, 20, 10])
    p = np.where(y == 1, 0.3, 0.2)  # below one half, yet told apart
    rows = [
        {
            "row_id": ids[i],
            "design": "held_out",
            "repeat": 0,
            "fold": 0,
            "probability": None if i == 30 else p[i],
            "answer": None,
        }
        for i in range(10, 40)
    ]
    folds = np.where(split == "test", -1, 0)[None]
    (one,) = judge("m", rows, ids, y, split, folds, metric="balanced_accuracy")
    assert 0.2 < one.threshold <= 0.3
    assert np.isnan(one.value[0, 0])
    assert (one.value[0, 1:] == y[31:]).all()
    assert one.score[0, 0] == 0.0  # yes was right there: the worst score there is
    with pytest.raises(ValueError, match="m: 1 validation or test rows have no prediction"):
        judge("m", rows[:-1], ids, y, split, folds, metric="f1")


class Scripted:
    """A backend that reads the haemoglobin out of the record; some records it does not answer."""

    decoding = "scripted"

    def __init__(self, field: str, *, speaks: str = "probability") -> None:
        self.schema, self.speaks, self.seen = AnswerSchema((field,)), speaks, list[str]()

    def answer(self, requests: Sequence[Request]) -> Iterator[tuple[int, Answer]]:
        for index, request in enumerate(requests):
            self.seen.append(request.text)
            value = request.text.split("Haemoglobin: ")[1].split("\n")[0]
            if value == "not recorded":
                yield index, Answer.failure(self.schema, "parse_error", "no_answer", seconds=0.1)
                continue
            p = 1 / (1 + np.exp(-(float(value.split()[0]) - 11)))
            told = p if self.speaks == "probability" else None
            yield (
                index,
                Answer("labelled", (bool(p > 0.5),), (told,), n_input_tokens=9, text="Yes" if p > 0.5 else "No"),
            )

    def token_count(self, text: str) -> int:
        return len(text)

    @property
    def room(self) -> int:
        return 10_000

    def close(self) -> None:
        pass


def opening(backend: Scripted) -> Any:
    @contextlib.contextmanager
    def go() -> Iterator[Scripted]:
        yield backend

    return go


def test_models_answer_apart_and_are_judged_together(tmp_path: Path) -> None:
    it, lake = put(columns=table(200, 2, signal=1.2)), Lake(tmp_path)
    keep_rows(lake, it)
    with pytest.raises(QuestionError, match="constants have not answered"):
        compare(lake, it, [])
    run_constants(lake, it, **NOW)
    run_classical(lake, it, "lasso", **NOW)
    with pytest.raises(QuestionError, match="llm_demo_mistral has not answered this question zero-shot"):
        run_stacked(lake, it, "llm_demo_mistral", **NOW)
    backend = Scripted(it.question.name)
    ask_language_model(lake, it, DEMO, "v1", opening(backend), **NOW)
    assert len(backend.seen) == it.dataset.n
    ask_language_model(lake, it, DEMO, "v1", opening(backend), **NOW)
    assert len(backend.seen) == it.dataset.n  # nothing is asked twice
    run_stacked(lake, it, "llm_demo_mistral", **NOW)
    found = compare(lake, it, ["lasso", "random_forest"], smallest=5)
    by = {(r["model"], r["design"], r["subgroup"], r["metric"]): r for r in found.results}
    assert {r["model"] for r in found.results} == {
        "always_yes",
        "always_no",
        "prevalence",
        "lasso",
        "llm_demo_mistral",
        "lightgbm_stacked",
    }
    unread = sum(it.dataset.columns["hb"][i] is None for i in it.assigned.rows("test"))
    n_test = it.assigned.rows("test").size
    assert unread
    assert by["llm_demo_mistral", "test", "all", "parsed_rate"]["value"] == pytest.approx(1 - unread / n_test)
    for model in ("lasso", "llm_demo_mistral"):
        cells = sum(by[model, "test", "all", cell]["value"] for cell in ("tp", "fp", "fn", "tn"))
        assert cells == n_test
    assert {s for (_, _, s, _) in by} == {"all", "site=north", "site=south", "site=west"}
    assert found.said[-1].startswith("Not judged")
    assert "random_forest" in found.said[-1]
    held = lake.read("prediction/predictions", "llm_demo_mistral").to_pylist()
    assert {row["text"] for row in held} == {"Yes", "No", None}
    assert {row["status"] for row in held} == {"answered", "unparsed"}
    assert all(row["design"] == "every_row" for row in held)
    models = [row for m in lake.batches("prediction/models") for row in lake.read("prediction/models", m).to_pylist()]
    report = prediction_report(it, found, models, lake.read("prediction/weights", "lasso").to_pylist())
    assert report.index(found.said[0]) < report.index("## Rows")
    assert not any(row_id in report for row_id in ("p17 ", "p18|"))
    figures = prediction_figures(it, found)
    assert set(figures) == {"prediction_confusion", "prediction_curves", "prediction_calibration", "prediction_auroc"}
    assert all(png[:4] == b"\x89PNG" for png in figures.values())


def test_answers_to_another_question_are_never_judged(tmp_path: Path) -> None:
    it, lake = put(), Lake(tmp_path)
    run_constants(lake, it, **NOW)
    run_classical(lake, it, "lasso", **NOW)
    columns = table()
    columns["removal"][5] = "No" if columns["removal"][5] == "Yes" else "Yes"
    other = put(columns=columns)
    assert other.sha != it.sha
    run_constants(lake, other, **NOW)
    found = compare(lake, other, ["lasso"])
    assert {r["model"] for r in found.results} == {"always_yes", "always_no", "prevalence"}
    assert found.said[-1].startswith("Not judged")
    assert "lasso" in found.said[-1]


def test_a_model_without_probabilities_is_judged_by_its_answers(tmp_path: Path) -> None:
    it, lake = put(columns=table(200, 2, signal=2.0)), Lake(tmp_path)
    run_constants(lake, it, **NOW)
    ask_language_model(lake, it, DEMO, "v1", opening(Scripted(it.question.name, speaks="words")), **NOW)
    one = next(j for j in compare(lake, it, []).judged if j.model == "llm_demo_mistral" and j.design == "test")
    assert one.threshold == 0.5
    hb = [it.dataset.columns["hb"][i] for i in one.rows]
    assert [v for v in one.value[0].tolist() if v == v] == [float(h > 11) for h in hb if h is not None]


def test_fine_tuning_sees_training_rows_only_and_the_rarer_answer_again() -> None:
    it = put()
    task = PredictionTask(DEMO, it.question, it.dataset, it.assigned)
    train, validation = it.assigned.rows("train"), it.assigned.rows("validation")
    assert {int(e.example_id.split("#")[0]) for e in task.train} == set(train.tolist())
    assert {int(e.example_id.split("#")[0]) for e in task.validation} == set(validation.tolist())
    assert len({e.example_id for e in task.train}) == len(task.train)
    told = [e.target for e in task.train]
    assert told.count('{"removal": true}') == told.count('{"removal": false}')
    assert not {e.group for e in task.train} & {e.group for e in task.validation}
    assert [task.decides(t) for t in told[:1]] in ([[(12, 16)]], [[(12, 17)]])
    schema, prompt = asked(it.question)
    assert schema.fields == ("removal",)
    assert "Will manual removal be required?" in prompt.system
