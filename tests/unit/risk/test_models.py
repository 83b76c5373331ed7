"""Features, preparation, learners, splits, evaluation and storage of risk models."""

from __future__ import annotations

import datetime as dt
import sys
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from clinical_assets.risk.candidates import Candidate, candidates
from clinical_assets.risk.evaluation import differences, evaluate, insufficient, pool, slices
from clinical_assets.risk.experiments import fit_model, run_matrix
from clinical_assets.risk.features import (
    TFIDF,
    Features,
    code_blocks,
    dense_block,
    text_block,
    vector_block,
    vector_blocks,
)
from clinical_assets.risk.learners import DEFAULTS, contributions, fit_learner, oversample
from clinical_assets.risk.model_store import Frozen, RiskModelError, load_frozen, promoted_digest, save_frozen
from clinical_assets.risk.preparation import fit_block
from clinical_assets.risk.sensitivity import genetic_complement, ipcw_area, learning_curve, optimism_corrected, transfer
from clinical_assets.risk.splits import by_site, by_time, repeated_folds
from clinical_assets.risk.tuning import tune
from clinical_assets.statistics.calibration import Platt
from clinical_assets.statistics.stability import reference_bins
from clinical_assets.study.risk import RiskModels

LEARNERS = ("logistic", "random_forest", "lightgbm", "svm", "mlp")
N = 160


def cohort(seed: int = 0, n: int = N) -> tuple[Features, np.ndarray]:
    """Persons whose risk shows in how many codes they have, in what these mean, in a laboratory value and in vectors."""
    rng = np.random.default_rng(seed)
    active, kind = rng.normal(size=n), rng.normal(size=n)
    y = (rng.random(n) < 1 / (1 + np.exp(-(1.8 * active + 1.8 * kind - 1)))).astype(np.int64)
    rows = []
    for i in range(n):
        often = np.exp(1 + 0.6 * active[i])
        rows += [(i, "condition", code, "headache", int(rng.poisson(often)) + 1, None) for code in range(3)]
        for _ in range(6):
            word = "inflammatory rash" if rng.random() < 1 / (1 + np.exp(-2 * kind[i])) else "minor injury"
            code = int(rng.integers(100, 900))
            rows.append((i, "condition", code, f"{word} of site {code % 7}", 1, None))
        rows.append((i, "drug", 7, "drug seven", 1, None))
        if rng.random() < 0.6:
            rows.append((i, "measurement", 50, "crp", 1, 5 + 2 * active[i]))
    rows = list({(r[0], r[1], r[2]): r for r in rows}.values())
    names = ("person_id", "domain", "concept_id", "concept_name", "n_records", "last_value")
    table = pa.table({name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)})
    table = table.append_column("last_date", pa.array([dt.date(2020, 1, 1)] * table.num_rows))
    persons = np.arange(n, dtype=np.int64)
    vectors = np.stack([kind + rng.normal(size=n) * 0.5, *rng.normal(size=(4, n))], axis=1)
    vectors[3] = np.nan
    blocks = [*code_blocks(persons, table), dense_block("demo", {"age": rng.normal(50, 10, n)})]
    blocks.append(vector_block("condition", "small", vectors))
    return Features(persons, {b.name: b for b in blocks}), y


@pytest.fixture(scope="module")
def data():
    return cohort()


def test_feature_sets_have_the_blocks_that_they_name(data) -> None:
    features, _ = data
    names = {block.name for block in features.of("counts")}
    assert {"count_condition", "demo", "lab"} <= names
    assert "count_drug" not in names
    assert "count_drug" in {block.name for block in features.of("counts+medication")}
    assert {b.name for b in features.of("embeddings", "small")} == {"emb_condition_small"}
    assert f"emb_drug_{TFIDF}" in {b.name for b in features.of("embeddings+medication", TFIDF)}
    with pytest.raises(ValueError, match=r"no embeddings; encoders .*: small, tfidf_svd"):
        features.of("embeddings", "other")
    counted = features.blocks["count_condition"]
    assert counted.values[0, counted.columns.index("records")] == counted.values[0, 2:].sum()


def test_vectors_of_another_length_or_twice_are_refused() -> None:
    persons = np.array([1, 2])
    row = {"person_id": [1, 2], "domain": ["condition"] * 2, "encoder": ["e"] * 2}
    with pytest.raises(ValueError, match=r"\[2, 3\] numbers; expected one length. Was the encoder changed"):
        vector_blocks(persons, pa.table({**row, "vector": [[1.0, 2.0], [1.0, 2.0, 3.0]]}))
    with pytest.raises(ValueError, match="several vectors"):
        vector_blocks(persons, pa.table({**row, "person_id": [1, 1], "vector": [[1.0], [2.0]]}))
    with pytest.raises(ValueError, match=r"no vectors of nvembed; there are e"):
        vector_blocks(persons, pa.table({**row, "vector": [[1.0], [2.0]]}), ["nvembed"])
    (block,) = vector_blocks(np.array([2, 9]), pa.table({**row, "vector": [[1.0], [2.0]]}))
    assert block.values[0, 0] == 2
    assert np.isnan(block.values[1, 0])
    fitted = fit_block(vector_block("condition", "e", np.eye(5)), minimum_persons=1, components=2, seed=0)
    with pytest.raises(ValueError, match="vectors have 4 numbers, the model was made with 5"):
        fitted.apply(vector_block("condition", "e", np.eye(4)))


def test_what_is_fitted_does_not_look_at_test_rows(data) -> None:
    """Test rows of any content change neither the preparation nor the model: risks of other test rows stay as they were."""
    features, y = data
    settings = RiskModels(learners=["logistic"])
    cell = Candidate("counts+embeddings", "logistic", TFIDF)
    splits = repeated_folds(y, features.persons, folds=4, repeats=1, seed=0)[:1]
    before = run_matrix([cell], features, y, splits, settings)[0]
    blocks = dict(features.blocks)
    strange = splits[0].test[:3]
    demo = blocks["demo"].values.copy()
    demo[strange] = 1e6
    blocks["demo"] = replace(blocks["demo"], values=demo)
    texts = list(blocks[f"emb_condition_{TFIDF}"].values)
    for i in strange:
        texts[i] = "unheard of words"
    blocks[f"emb_condition_{TFIDF}"] = replace(blocks[f"emb_condition_{TFIDF}"], values=texts)
    after = run_matrix([cell], Features(features.persons, blocks), y, splits, settings)[0]
    assert after.risk[3:] == pytest.approx(before.risk[3:])
    assert not np.allclose(after.risk[:3], before.risk[:3])


def test_preparation_imputes_flags_and_bounds_the_components(data) -> None:
    features, _ = data
    lab = fit_block(features.blocks["lab"], minimum_persons=5, components=64, seed=0)
    assert lab.names == ("lab__50", "lab__50_missing")
    made = lab.apply(features.blocks["lab"])
    missing = np.isnan(features.blocks["lab"].values[:, 0])
    assert (made[:, 1] == missing).all()
    assert np.unique(made[missing, 0]).size == 1
    texts = fit_block(features.blocks[f"emb_condition_{TFIDF}"], minimum_persons=5, components=64, seed=0)
    assert len(texts.names) <= 64
    counts = fit_block(features.blocks["count_condition"], minimum_persons=5, components=64, seed=0)
    n_persons = np.asarray((features.blocks["count_condition"].values > 0).sum(axis=0)).ravel()
    assert len(counts.names) == int((n_persons >= 5).sum())
    empty = fit_block(text_block("condition", ["", ""]), minimum_persons=1, components=4, seed=0)
    assert empty.apply(text_block("condition", ["words never seen", ""])).shape[0] == 2


@pytest.mark.parametrize("learner", LEARNERS)
def test_every_learner_learns_gives_risks_and_survives_storage(data, learner: str, tmp_path) -> None:
    features, y = data
    train, test = np.arange(N) < 120, np.arange(N) >= 120
    settings = RiskModels(learners=list(LEARNERS))
    cell = Candidate("counts+embeddings+medication", learner, TFIDF)
    model = fit_model(cell, features.rows(np.flatnonzero(train)), y[train], settings)
    unseen = features.rows(np.flatnonzero(test))
    risk = model.predict(unseen)
    from clinical_assets.statistics.roc import auroc

    assert auroc(y[test], risk) > 0.6
    assert abs(risk.mean() - y[test].mean()) < 0.2  # class weights are undone
    again = fit_model(cell, features.rows(np.flatnonzero(train)), y[train], settings)
    assert again.predict(unseen) == pytest.approx(risk, abs=1e-6)
    bins = {"score": reference_bins(risk)}
    digest = save_frozen(tmp_path, Frozen(model, Platt(0.1, 0.9), np.sort(risk), features.persons[train], bins))
    assert promoted_digest(tmp_path) == digest
    loaded = load_frozen(tmp_path, digest)
    assert loaded.model.predict(unseen) == pytest.approx(risk, abs=1e-6)
    assert loaded.model.columns() == model.columns()
    assert loaded.calibration == Platt(0.1, 0.9)
    assert {path.name for path in (tmp_path / digest).iterdir()} == {"model.json", "arrays.safetensors", "model.lgb"}


def test_forest_and_svm_agree_with_scikit_learn() -> None:
    from sklearn.ensemble import RandomForestClassifier

    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 6)).astype(np.float32)
    y = (x[:, 0] + rng.normal(size=200) > 0.5).astype(np.int64)
    found = fit_learner("random_forest", x, y, weighted=False, seed=3, parameters={"trees": 20})
    theirs = RandomForestClassifier(20, min_samples_leaf=3, random_state=3, class_weight={0: 1.0, 1: 1.0}).fit(x, y)
    assert found.predict(x) == pytest.approx(np.clip(theirs.predict_proba(x)[:, 1], 1e-6, 1 - 1e-6), abs=1e-9)


def test_contributions_add_up_to_the_score(data) -> None:
    from scipy.special import logit

    features, y = data
    model = fit_model(Candidate("counts", "lightgbm"), features, y, RiskModels())
    x = model.matrix(features)
    parts = contributions(model.fitted, x)
    assert parts.shape == (N, x.shape[1] + 1)
    assert parts.sum(axis=1) + model.fitted.offset == pytest.approx(logit(model.fitted.predict(x)), abs=1e-3)
    with pytest.raises(ValueError, match="LightGBM's"):
        contributions(fit_model(Candidate("counts", "logistic"), features, y, RiskModels()).fitted, x)


def test_a_stored_model_that_was_changed_is_not_read(data, tmp_path) -> None:
    features, y = data
    model = fit_model(Candidate("counts", "logistic"), features, y, RiskModels())
    digest = save_frozen(tmp_path, Frozen(model, Platt(0, 1), np.zeros(1), features.persons, {}))
    (tmp_path / digest / "model.lgb").write_text("tree")
    with pytest.raises(RiskModelError, match="was changed after it was written"):
        load_frozen(tmp_path, digest)
    with pytest.raises(RiskModelError, match="materialize risk/promoted_model again"):
        load_frozen(tmp_path, "0" * 32)
    (tmp_path / "promoted.json").write_text("{")
    with pytest.raises(RiskModelError, match="cannot be read"):
        promoted_digest(tmp_path)
    assert promoted_digest(tmp_path / "nothing") is None


def test_splits_keep_persons_apart_and_test_everybody_once_a_repeat() -> None:
    y, persons = np.tile([0, 0, 1, 0], 25), np.repeat(np.arange(50), 2)
    splits = repeated_folds(y, persons, folds=5, repeats=2, seed=0)
    for repeat in (0, 1):
        tested = np.concatenate([s.test for s in splits if s.repeat == repeat])
        assert sorted(tested) == list(range(100))
    assert all(not set(persons[s.train]) & set(persons[s.test]) for s in splits)
    with pytest.raises(ValueError, match="the rarer class has 1"):
        repeated_folds(np.array([1, 0, 0, 0, 0, 0]), np.arange(6), folds=5, repeats=1, seed=0)
    late = by_time([1, 5, 9, 12], 5, gap=4)
    assert (late.train.tolist(), late.test.tolist()) == ([0], [2, 3])
    sites = by_site(["a", "b", None, "a"])
    assert [(s.label, s.test.tolist(), s.train.tolist()) for s in sites] == [
        ("a", [0, 3], [1, 2]),
        ("b", [1], [0, 2, 3]),
    ]
    assert by_site(["a", "a"]) == []


def test_evaluation_pools_repeats_and_says_when_there_is_too_little(data) -> None:
    features, y = data
    settings = RiskModels(learners=["logistic"], feature_sets=["counts", "counts+embeddings"], repeats=2)
    cells = candidates(settings, ["small"])
    parts = run_matrix(cells, features, y, repeated_folds(y, features.persons, folds=4, repeats=2, seed=0), settings)
    pooled = {one.name: one for one in pool(parts)}
    assert pooled["counts/logistic"].risk.shape == (2, N)
    rows = {
        r["metric"]: r
        for r in evaluate(pooled["counts/logistic"], y, features.persons, minimum_events=10, n_replicates=100, seed=0)
    }
    from sklearn.metrics import roc_auc_score

    repeats = pooled["counts/logistic"].risk
    assert rows["auroc"]["value"] == pytest.approx(np.mean([roc_auc_score(y, r) for r in repeats]))
    assert rows["auroc"]["low"] < rows["auroc"]["value"] < rows["auroc"]["high"]
    assert rows["brier"]["value"] == pytest.approx(np.mean((repeats - y) ** 2))
    assert rows["prevalence"]["value"] == pytest.approx(y.mean())
    pair = [("counts+embeddings/logistic/small", "counts/logistic")]
    gained = differences(pooled, pair, y, features.persons, n_replicates=200, seed=0)[0]
    assert gained["low"] > 0
    few = np.where(np.cumsum(y) <= 9, y, 0)
    (row,) = evaluate(pooled["counts/logistic"], few, features.persons, minimum_events=10, n_replicates=100, seed=0)
    assert (row["status"], row["reason"]) == (
        "insufficient",
        "9 cases and 151 controls; at least 10 of each are needed",
    )
    assert np.isnan(row["value"])
    assert insufficient(np.zeros(50), 10).startswith("0 cases")
    with pytest.raises(ValueError, match="tested twice"):
        pool([*parts, parts[0]])


def test_small_slices_are_withheld(data) -> None:
    features, y = data
    parts = run_matrix(
        [Candidate("counts", "logistic")],
        features,
        y,
        repeated_folds(y, features.persons, folds=4, repeats=1, seed=0),
        RiskModels(),
    )
    groups = {"sex": ["f"] * 100 + ["m"] * 55 + [None] * 5}
    rows = slices(pool(parts)[0], y, features.persons, groups, minimum_events=10, smallest=11, n_replicates=100, seed=0)
    unknown = next(r for r in rows if r["group"] == "unknown")
    assert (unknown["status"], unknown["n"], unknown["n_events"]) == ("withheld", None, None)
    women = next(r for r in rows if r["group"] == "f" and r["metric"] == "auroc")
    assert (women["n"], women["status"]) == (100, "evaluated")


def test_a_genetic_score_adds_what_it_was_given_and_is_skipped_where_absent() -> None:
    import statsmodels.api as sm

    rng = np.random.default_rng(0)
    x, g = rng.normal(size=(2, 500))
    y = (rng.random(500) < 1 / (1 + np.exp(-(x + g)))).astype(np.int64)
    risk, known = 1 / (1 + np.exp(-x)), np.where(rng.random(500) < 0.7, g, np.nan)
    rows, why = genetic_complement(risk, known, y, np.arange(500), minimum_events=10, n_replicates=200, seed=0)
    found = {r["metric"]: r for r in rows}
    assert why == ""
    here = ~np.isnan(known)
    large = sm.Logit(y[here], np.stack([np.ones(here.sum()), x[here], g[here]], axis=1)).fit(disp=0)
    small = sm.Logit(y[here], np.stack([np.ones(here.sum()), x[here]], axis=1)).fit(disp=0)
    assert found["likelihood_ratio"]["value"] == pytest.approx(2 * (large.llf - small.llf), rel=1e-4)
    assert found["odds_ratio"]["value"] == pytest.approx(np.exp(large.params[2]), rel=1e-4)
    assert found["delta_auroc"]["low"] > 0
    none = genetic_complement(
        risk, np.full(500, np.nan), y, np.arange(500), minimum_events=10, n_replicates=200, seed=0
    )
    assert none == ([], "skipped: nobody has a genetic score")


def test_transfer_mends_calibration_and_leaves_ranks(data) -> None:
    features, y = data
    model = fit_model(Candidate("counts+embeddings", "logistic", "small"), features, y, RiskModels())
    elsewhere, z = cohort(seed=9, n=300)
    z = np.where(np.random.default_rng(0).random(300) < 0.5, 0, z)  # rarer there
    rows = {
        (r["recalibration"], r["metric"]): r for r in transfer(model.predict(elsewhere), z, seed=0, n_replicates=100)
    }
    assert rows["none", "calibration_intercept"]["high"] < 0
    assert abs(rows["intercept", "calibration_intercept"]["value"]) < 0.1
    assert (
        abs(rows["logistic", "calibration_slope"]["value"] - 1)
        < abs(rows["none", "calibration_slope"]["value"] - 1) + 0.05
    )
    assert rows["intercept", "brier"]["value"] < rows["none", "brier"]["value"]
    (row,) = transfer(model.predict(elsewhere), np.zeros(300, dtype=np.int64), seed=0, n_replicates=100)
    assert row["status"] == "insufficient"


def test_learning_curve_rises_and_ipcw_counts_the_censored(data) -> None:
    features, y = data
    rows = learning_curve(
        Candidate("counts+embeddings", "logistic", "small"),
        features,
        y,
        RiskModels(),
        shares=(0.2, 0.9),
        n_replicates=100,
    )
    assert rows[0]["n_train"] < rows[1]["n_train"]
    assert rows[0]["value"] < rows[1]["value"] + 0.05
    risk = np.array([0.9, 0.8, 0.2, 0.1, 0.5])
    found = ipcw_area(
        risk, [100, np.nan, np.nan, np.nan, np.nan], [500, 500, 500, 500, 50], 365, n_replicates=100, seed=0
    )
    assert found.value == 1.0


def test_an_optimism_of_nothing_learned_is_the_apparent_area_less_a_half() -> None:
    """With noise only, a forest looks perfect on its own rows; the bootstrap takes nearly all of that back."""
    rng = np.random.default_rng(0)
    features = Features(np.arange(80), {"demo": dense_block("demo", {f"x{i}": rng.normal(size=80) for i in range(6)})})
    y = np.tile([0, 1], 40)
    rows = optimism_corrected(Candidate("counts", "lightgbm"), features, y, RiskModels(optimism_draws=25))
    found = {row["metric"]: row["value"] for row in rows}
    assert found["auroc_apparent"] > 0.9
    assert found["auroc_corrected"] == pytest.approx(found["auroc_apparent"] - found["optimism"])
    assert found["auroc_corrected"] < found["auroc_apparent"] - 0.1
    limits = next(row for row in rows if row["metric"] == "auroc_corrected")
    assert limits["low"] < found["auroc_corrected"] < limits["high"]
    assert {row["detail"] for row in rows} == {"25 draws"}


def test_smote_makes_cases_of_training_rows_only(data) -> None:
    pytest.importorskip("imblearn")
    features, y = data
    x = features.blocks["demo"].values.astype(np.float32)
    made, target = oversample(x, y, seed=0)
    assert np.array_equal(made[: x.shape[0]], x)
    assert target.sum() * 2 == target.size
    rarer = x[y == int(y.mean() < 0.5)]  # a synthetic row lies between two of its class
    assert (made[x.shape[0] :] >= rarer.min(axis=0) - 1e-5).all()
    assert (made[x.shape[0] :] <= rarer.max(axis=0) + 1e-5).all()
    seen: list[tuple[int, int, bool]] = []
    splits = repeated_folds(y, features.persons, folds=4, repeats=1, seed=0)[:1]
    from clinical_assets.risk import experiments

    def noted(learner, x, y, *, weighted, **more):
        seen.append((x.shape[0], int(y.sum()), weighted))
        return fit_learner(learner, x, y, weighted=weighted, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(experiments, "fit_learner", noted)
        settings = RiskModels(oversampling="smote", learners=["logistic"])
        (part,) = run_matrix([Candidate("counts", "logistic")], features, y, splits, settings)
    train = y[splits[0].train]
    most = max(int(train.sum()), int(train.size - train.sum()))
    assert seen == [(2 * most, most, False)]  # balanced by SMOTE, so not weighted as well
    assert part.rows.tolist() == splits[0].test.tolist()  # nobody synthetic is tested


@pytest.mark.parametrize("learner", LEARNERS)
def test_tuning_judges_parameters_inside_the_training_rows(data, learner: str, monkeypatch) -> None:
    pytest.importorskip("optuna")
    from clinical_assets.risk import tuning

    rng = np.random.default_rng(1)
    y = np.tile([0, 1, 0], 20)
    x = (rng.normal(size=(60, 4)) + y[:, None] * 0.8).astype(np.float32)
    x[:, 3] = np.arange(60)  # which row it is
    train = np.arange(0, 60, 2)
    tried: list[dict[str, float]] = []

    def noted(name, given, target, *, parameters, **more):
        assert set(given[:, 3].astype(int)) <= set(train)
        tried.append(dict(parameters))
        return fit_learner(name, given, target, parameters=parameters, **more)

    monkeypatch.setattr(tuning, "fit_learner", noted)
    if learner == "random_forest":
        monkeypatch.setitem(DEFAULTS["random_forest"], "trees", 10)
    if learner == "mlp":
        monkeypatch.setitem(DEFAULTS["mlp"], "epochs", 5)
    best = tuning.tune(learner, x[train], y[train], trials=2, seed=0, weighted=True)
    assert len(tried) == 2 * 3  # two trials on three inner parts
    assert best in tried
    again = tuning.tune(learner, x[train], y[train], trials=2, seed=0, weighted=True)
    assert again == best
    fit_learner(learner, x[train], y[train], weighted=True, seed=0, parameters=best)  # the parameters are the learner's


def test_tuned_models_are_used(data) -> None:
    pytest.importorskip("optuna")
    features, y = data
    model = fit_model(Candidate("counts", "svm"), features, y, RiskModels(tuning_trials=2))
    assert model.fitted.parameters["c"] != DEFAULTS["svm"]["c"]


def test_an_autoencoder_keeps_what_components_cannot(tmp_path) -> None:
    """Points on a curve, in many dimensions: two tanh units tell where on it, and the stored one does the same without torch."""
    rng = np.random.default_rng(0)
    where = rng.uniform(-1, 1, 120)
    values = np.stack([where, where**2, *(rng.normal(scale=0.05, size=(6, 120)))], axis=1)
    values[5] = np.nan
    block = vector_block("condition", "e", values)
    one = fit_block(block, minimum_persons=1, components=2, seed=0, reduction="autoencoder")
    made = one.apply(block)
    assert one.names == ("emb_condition_e__ae00", "emb_condition_e__ae01", "emb_condition_e__missing")
    assert made.shape == (120, 3)
    assert (made[5] == [0, 0, 1]).all()
    known = np.delete(np.arange(120), 5)
    assert (
        np.linalg.lstsq(np.c_[made[known, :2], np.ones(119)], where[known], rcond=None)[1][0] < 0.2 * where.var() * 119
    )
    again = fit_block(block, minimum_persons=1, components=2, seed=0, reduction="autoencoder")
    assert again.apply(block) == pytest.approx(made, abs=1e-5)
    features, y = Features(np.arange(120), {block.name: block}), (where > 0).astype(np.int64)
    model = fit_model(
        Candidate("embeddings", "logistic", "e"), features, y, RiskModels(reduction="autoencoder", components=2)
    )
    digest = save_frozen(tmp_path, Frozen(model, Platt(0, 1), np.zeros(1), features.persons, {}))
    assert load_frozen(tmp_path, digest).model.predict(features) == pytest.approx(model.predict(features))
    with pytest.raises(ValueError, match="vectors have 4 numbers, the model was made with 8"):
        one.apply(vector_block("condition", "e", np.eye(4)))


def test_options_that_need_a_package_say_which(monkeypatch) -> None:
    x, y = np.zeros((20, 2), dtype=np.float32), np.array([0, 1] * 10)
    for name in ("imblearn", "imblearn.over_sampling", "optuna"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(RuntimeError, match="pip install imbalanced-learn"):
        oversample(x, y, 0)
    with pytest.raises(RuntimeError, match="pip install optuna"):
        tune("svm", x, y, trials=1, seed=0, weighted=True)
    with pytest.raises(ValueError, match="only one class"):
        fit_learner("logistic", x, np.zeros(20, dtype=np.int64), weighted=True, seed=0)
    with pytest.raises(ValueError, match="no learner 'xgboost'; known: logistic"):
        fit_learner("xgboost", x, y, weighted=True, seed=0)
