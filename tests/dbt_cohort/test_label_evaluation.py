"""The evaluation of labellers in the warehouse, worked out again in plain Python from the labels themselves."""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from clinical_assets.labels.evaluation_figures import label_figures
from clinical_assets.storage.contracts import LABELS
from clinical_assets.storage.lake import Lake
from clinical_assets.study.load import load_study
from tests.dbt_cohort.conftest import dbt_build

pytestmark = pytest.mark.slow

# name, how far apart its P(true) of true and false is, shift towards true, share of answers that cannot be read, share not asked
MODELS = (("llm_good", 4.0, 0.0, 0.0, 0.0), ("llm_eager", 3.0, 1.5, 0.02, 0.0), ("llm_weak", 1.0, 0.0, 0.05, 0.2))
TABLES = {
    "annotations", "annotator_agreement", "annotation_splits", "evaluation_items", "scope_answers", "evaluation", "evaluation_summary", "label_thresholds",
    "label_reliability", "structured_answers", "agreement", "agreement_overall", "consensus", "review_queue", "label_costs",
}  # fmt: skip


@pytest.fixture(scope="module")
def judged(demo_build, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The demo hospital with three language models' labels added, built again."""
    data = tmp_path_factory.mktemp("judged") / "data"
    shutil.copytree(demo_build[0], data)
    with duckdb.connect(str(data / "warehouse" / "clinical.duckdb"), read_only=True) as connection:
        gold = connection.sql(
            "select scope.*, manual.field, manual.value from notes.labelling_scope as scope "
            "inner join labels.manual_labels as manual using (note_id) order by note_id, field"
        ).to_arrow_table()
    write_models(Lake(data / "lake"), gold.to_pylist())
    return data, dbt_build(data, load_study())


def write_models(lake: Lake, gold: list[dict]) -> None:
    for seed, (labeller, apart, shift, failing, unasked) in enumerate(MODELS):
        random, batches = np.random.default_rng(seed), defaultdict(list)
        skipped = {row["note_id"] for row in gold if random.random() < unasked / 8}
        for row in gold:
            if row["note_id"] in skipped:
                continue
            p = 1 / (1 + np.exp(-((apart if row["value"] else -apart) + shift + random.normal() * 2)))
            failed = random.random() < failing
            batches[row["batch"]].append(
                dict.fromkeys(LABELS.names)
                | dict.fromkeys(("model_revision", "adapter_sha", "prompt_sha", "schema_version", "decoding", "run_id"), "x")
                | {name: row[name] for name in ("note_id", "person_id", "batch", "field")}
                | {
                    "note_sha256": row["text_sha256"], "labeller": labeller, "status": "parse_error" if failed else "labelled",
                    "value": None if failed else bool(p >= 0.5), "probability": None if failed else p, "n_input_tokens": 900,
                    "n_output_tokens": 40, "seconds": 0.25, "labelled_at": datetime(2025, 7, 1, tzinfo=UTC),
                    "reason": "unsupported:no_mention" if random.random() < 0.1 else "supported",
                }
            )  # fmt: skip
        for batch, rows in batches.items():
            lake.write(f"labels/{labeller}", pa.Table.from_pylist(rows, schema=LABELS), LABELS, batch=batch)


@pytest.fixture
def connection(judged) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(judged[0] / "warehouse" / "clinical.duckdb"), read_only=True) as made:
        yield made


def rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[dict]:
    return connection.sql(query).to_arrow_table().to_pylist()


def test_every_table_is_built_and_every_test_holds(judged) -> None:
    statuses = judged[1]
    assert {name: statuses[name] for name in TABLES} == dict.fromkeys(TABLES, "success")
    assert [name for name, status in statuses.items() if status in {"fail", "error"}] == []


def test_a_warehouse_without_models_builds_too(demo_build, warehouse) -> None:
    assert {demo_build[1][name] for name in TABLES} == {"success"}
    labellers = {name for (name,) in warehouse.sql("select distinct labeller from labels.evaluation").fetchall()}
    assert labellers == {"baseline_majority", "regex", "regex_seed"}
    assert warehouse.sql("from labels.label_thresholds").fetchall() == []


def test_splits_are_the_lakes_and_nothing_leaks(judged, connection) -> None:
    found = rows(connection, "from labels.annotation_splits")
    kept = {row["note_id"]: row for row in Lake(judged[0] / "lake").read("annotations/splits").to_pylist()}
    assert {row["note_id"] for row in found} == {r["note_id"] for r in rows(connection, "select distinct note_id from labels.manual_labels")}
    persons, texts = defaultdict(set), defaultdict(set)
    for row in found:
        mine = kept[row["note_id"]]
        assert (row["split"], row["reason"], row["group_id"]) == (mine["split"], mine["reason"], mine["group_id"])
        if row["split"] != "excluded":
            persons[row["person_id"]].add(row["split"])
            texts[row["text_sha256"]].add(row["split"])
            assert row["drawn_split"] == row["split"]
    assert {len(splits) for splits in (*persons.values(), *texts.values())} == {1}
    sharing = defaultdict(set)
    for row in found:
        sharing[row["text_sha256"]].add(row["person_id"])
    assert any(row["split"] == "excluded" for row in found), "the demo hospital holds copied notes"
    for row in found:
        assert (row["reason"] == "shared_text") == (len(sharing[row["text_sha256"]]) > 3)
    shares = Counter(row["split"] for row in found)
    n = sum(shares[name] for name in ("train", "validation", "test"))
    for name, share in (("train", 0.4), ("validation", 0.3), ("test", 0.3)):
        assert shares[name] / n == pytest.approx(share, abs=0.01)
    gold = rows(connection, "select field, split, avg(value::int) as p from labels.manual_labels inner join labels.annotation_splits using (note_id) group by all")
    by_field = defaultdict(dict)
    for row in gold:
        by_field[row["field"]][row["split"]] = row["p"]
    for field, p in by_field.items():
        assert p["test"] == pytest.approx(p["train"], rel=0.1, abs=0.006), field


def test_annotators_are_compared_and_every_answer_is_listed(connection) -> None:
    listed = rows(connection, "select count(*) as n, bool_and(is_current) as current, count(distinct annotator) as who from labels.annotations")
    assert listed == [{"n": 75_304, "current": True, "who": 1}]
    assert rows(connection, "from labels.annotator_agreement") == []
    assert rows(connection, "select distinct adjudication, status from labels.manual_labels") == [{"adjudication": "single", "status": "labelled"}]


def truth(connection) -> tuple[dict, dict, dict]:
    gold = {
        (r["note_id"], r["field"]): r["value"]
        for r in rows(connection, "select note_id, field, value from labels.manual_labels")
    }
    scope = {r["note_id"] for r in rows(connection, "select note_id from notes.labelling_scope")}
    split = {r["note_id"]: r["split"] for r in rows(connection, "select note_id, split from labels.annotation_splits")}
    sets = {
        "scope": scope, "annotated": set(split), "test": {n for n in scope if split.get(n) == "test"},
        "validation": {n for n in scope if split.get(n) == "validation"},
    }  # fmt: skip
    said = defaultdict(dict)
    for row in rows(
        connection, "select labeller, note_id, field, value, probability, status from labels.current_labels"
    ):
        said[row["labeller"]][row["note_id"], row["field"]] = row
    train = defaultdict(list)
    for (note, field), value in gold.items():
        if note in scope and split[note] == "train":
            train[field].append(value)
    for note, field in gold:
        value = sum(train[field]) * 2 > len(train[field])
        said["baseline_majority"][note, field] = {"value": value, "probability": None, "status": "labelled"}
    return gold, sets, said


def test_every_confusion_table(connection) -> None:
    gold, sets, said = truth(connection)
    cut = {(r["labeller"], r["field"]): r["threshold"] for r in rows(connection, "from labels.label_thresholds")}
    found = rows(connection, "from labels.evaluation")
    models = {model[0] for model in MODELS}
    rules = {"regex", "regex_seed", "baseline_majority"}
    expected = {(who, which, "default") for who in models | rules for which in ("scope", "validation", "test")}
    expected |= {(who, which, "tuned") for who in models for which in ("validation", "test")} | {
        (who, "annotated", "default") for who in rules
    }
    assert {(row["labeller"], row["note_set"], row["rule"]) for row in found} == expected
    by_field = defaultdict(list)
    for (note, field), value in gold.items():
        by_field[field].append((note, value))
    for row in found:
        cells = Counter()
        for note, value in by_field[row["field"]]:
            if note not in sets[row["note_set"]]:
                continue
            answer = said[row["labeller"]].get(
                (note, row["field"]), {"value": None, "probability": None, "status": None}
            )
            says = answer["value"]
            if row["rule"] == "tuned" and answer["probability"] is not None:
                says = answer["probability"] >= cut[row["labeller"], row["field"]]
            cells["n_missing"] += says is None
            cells["n_parse_error"] += answer["status"] == "parse_error"
            if says is None:
                cells["fn" if value else "fp"] += 1
            else:
                cells[("tp" if value else "fp") if says else ("fn" if value else "tn")] += 1
        names = ("tp", "fp", "fn", "tn", "n_missing", "n_parse_error")
        assert [row[name] for name in names] == [cells[name] for name in names], (
            row["labeller"],
            row["field"],
            row["note_set"],
        )
        tp, fp, fn = cells["tp"], cells["fp"], cells["fn"]
        assert row["f1"] == (pytest.approx(2 * tp / (2 * tp + fp + fn)) if tp + fp + fn else None)
        assert row["prevalence"] == pytest.approx((tp + fn) / row["n"])
        if row["f1_low"] is not None:
            assert 0 <= row["f1_low"] <= row["f1"] + 1e-9
            assert row["f1"] <= row["f1_high"] + 1e-9


def test_the_summary_is_the_mean_and_the_sum_of_the_fields(connection) -> None:
    fields = defaultdict(list)
    for row in rows(connection, "from labels.evaluation"):
        fields[row["labeller"], row["note_set"], row["rule"]].append(row)
    found = rows(connection, "from labels.evaluation_summary")
    assert len(found) == len(fields)
    for row in found:
        of_one = fields[row["labeller"], row["note_set"], row["rule"]]
        positive = [one["f1"] for one in of_one if one["n_positive"]]
        tp, fp, fn = (sum(one[name] for one in of_one) for name in ("tp", "fp", "fn"))
        assert row["n_fields_with_positives"] == len(positive)
        assert row["macro_f1"] == pytest.approx(sum(positive) / len(positive))
        assert row["micro_f1"] == pytest.approx(2 * tp / (2 * tp + fp + fn))
        assert row["missing_share"] == pytest.approx(
            sum(one["n_missing"] for one in of_one) / sum(one["n"] for one in of_one)
        )
        assert row["macro_f1_low"] <= row["macro_f1"] <= row["macro_f1_high"]


def test_the_models_rank_as_they_were_made(connection) -> None:
    ranked = [
        row["labeller"]
        for row in rows(
            connection,
            "from labels.evaluation_summary where note_set = 'test' and rule = 'tuned' order by macro_f1 desc",
        )
    ]
    assert ranked == ["llm_good", "llm_eager", "llm_weak"]
    gained = rows(
        connection,
        "select tuned.macro_f1 - plain.macro_f1 as gained from labels.evaluation_summary as tuned inner join labels.evaluation_summary as plain "
        "using (labeller, note_set) where labeller = 'llm_eager' and note_set = 'test' and tuned.rule = 'tuned' and plain.rule = 'default'",
    )
    assert gained[0]["gained"] > 0.05


def test_the_queue_and_the_costs(connection) -> None:
    queue = rows(connection, "from labels.review_queue order by rank")
    assert [row["rank"] for row in queue] == list(range(1, len(queue) + 1))
    assert [row["has_gold"] for row in queue] == sorted(row["has_gold"] for row in queue)
    said = defaultdict(list)
    for row in rows(connection, "from labels.scope_answers where labeller <> 'manual'"):
        said[row["note_id"], row["field"]].append(row["value"])
    for row in queue:
        votes = said[row["note_id"], row["field"]]
        assert (row["n_true"], row["n_false"]) == (votes.count(True), votes.count(False))
        assert (row["reason"] == "disagreement") == (row["n_true"] > 0 < row["n_false"])
        assert row["n_true"] + row["n_false"] + row["n_missing"] == 5
    assert {row["reason"] for row in queue} >= {"disagreement", "low_margin", "random_audit"}
    asked = Counter(
        labeller
        for (labeller,) in connection.sql(
            "select labeller from (select distinct labeller, note_id from labels.model_labels)"
        ).fetchall()
    )
    for row in rows(connection, "from labels.label_costs"):
        n = asked[row["labeller"]]
        assert (row["n_notes"], row["n_input_tokens"], row["n_output_tokens"]) == (n, 900 * n, 40 * n)
        assert (row["seconds_per_1000_notes"], row["tokens_per_note"]) == (pytest.approx(250), pytest.approx(940))
        assert row["n_failed"] <= n


def test_the_figures_are_drawn(connection) -> None:
    figures = label_figures(connection, smallest=11)
    assert set(figures) == {
        "label_f1_scope",
        "label_f1_test",
        "label_f1_annotated",
        "label_reliability",
        "label_agreement",
    }


def test_structured_data_is_one_of_the_labellers_that_are_compared(judged) -> None:
    sets = {
        "imatinib_mentioned": ["imatinib"], "related_drugs_mentioned": ["other_abl_tki"], "cml_diagnosed": ["cml"],
        "aml_diagnosed": ["aml"], "bmt_history": ["transplant", "transplant_status"],
    }  # fmt: skip
    with duckdb.connect(str(judged[0] / "warehouse" / "clinical.duckdb"), read_only=True) as connection:
        found = {
            (note_id, field): value
            for note_id, field, value in connection.execute(
                "select note_id, field, value from labels.structured_answers"
            ).fetchall()
        }
        notes = connection.execute(
            "select note_id, note.person_id, note_date from notes.labelling_scope inner join notes.note_index as note using (note_id)"
        ).fetchall()
        events = connection.execute("select person_id, set_name, start_date from cohort.events").fetchall()
        pairs = connection.execute(
            "select labeller_a, labeller_b, count(distinct field) from labels.agreement "
            "where 'structured' in (labeller_a, labeller_b) group by all"
        ).fetchall()
        voters = connection.execute("select distinct labeller from labels.consensus").fetchall()
    records = defaultdict(list)
    for person_id, set_name, start in events:
        records[person_id, set_name].append(start)
    assert found == {
        (note_id, field): any(start <= day for name in names for start in records[person_id, name])
        for note_id, person_id, day in notes
        for field, names in sets.items()
    }
    assert any(found.values())
    assert not all(found.values())
    assert ("manual", "structured", 5) in pairs
    assert {("regex", "structured", 5), ("regex_seed", "structured", 5)} <= set(pairs)
    assert ("structured",) not in voters
