"""Scores of a batch on a lake without Dagster: what is scored, what is carried over, what is not scored, and what they say together."""

from __future__ import annotations

import hashlib
import math
from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import spearmanr

from clinical_assets.statistics.correlation import spearman
from clinical_assets.storage.contracts import NOTES, SECTIONS
from clinical_assets.storage.lake import Lake
from clinical_assets.storage.summary_contracts import SUMMARY_SCORES
from clinical_assets.study.summarizing import BertScore
from clinical_assets.summaries.evaluation.control_rows import write_controls
from clinical_assets.summaries.evaluation.follow_up import follow_up_retention, follow_ups
from clinical_assets.summaries.evaluation.scoring import OFFLINE, SOURCE_ITSELF, ScoredTable, score_batch
from clinical_assets.summaries.evaluation.tables import compression_retention_table, metrics_table
from clinical_assets.summaries.extraction import extractor_for
from clinical_assets.summaries.metrics import SummaryRow, aggregate, score_rows
from clinical_assets.summaries.ratios import Ratio
from clinical_assets.summaries.stages import COMPRESSED, VERBOSE, summarize_batch
from clinical_assets.summaries.text_metrics import count_tokens, tokens
from clinical_assets.summaries.vocabulary import vocabulary_of

WHEN = datetime(2026, 1, 2, tzinfo=UTC)
TEXTS = {
    1: "HPI: chronic myeloid leukemia since 2014, on imatinib 400 mg daily. Works as a baker and enjoys it. Denies fever. "
    "Hb 12.6 and platelets 210 on 2020-03-17. Mother has asthma. Follow-up in 3 months. Encouraged to walk more each day.",
    2: "HPI: hypertension, on lisinopril 10 mg daily. Blood pressure 128/76. No chest pain. Likes to garden in the summer. "
    "Creatinine 0.9 last week. Return to clinic in six months. Asked about a new diet that a neighbour tried with success.",
    3: "HPI: type 2 diabetes, metformin 500 mg twice daily. HbA1c 7.1 %. No hypoglycemia. Plays chess with a grandson often. "
    "Potassium 4.1 today. Repeat HbA1c in 3 months. Told stories of the sea, where many years were spent on long voyages.",
}  # fmt: skip


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def land(lake: Lake, texts: dict[int, str]) -> None:
    notes = [
        {
            **dict.fromkeys(NOTES.names), "note_id": k, "person_id": k, "note_date": date(2020, 1, k), "text": text,
            "text_sha256": sha(text), "n_chars": len(text), "status": "usable", "batch": "b", "source_file_sha256": "x",
            "ingested_at": WHEN,
        }
        for k, text in texts.items()
    ]  # fmt: skip
    lake.write("notes/notes", pa.Table.from_pylist(notes, schema=NOTES), NOTES, batch="b")
    lake.write("notes/sections", SECTIONS.empty_table(), SECTIONS, batch="b")


def summarize(lake: Lake, study, scope) -> None:
    for stage in (VERBOSE, COMPRESSED):
        summarize_batch(lake, stage, study, "b", scope, lambda: vocabulary_of(study), run_id="r", made_at=WHEN)


def score(lake: Lake, study, scope=frozenset(TEXTS), tables=OFFLINE, **given):
    return score_batch(lake, tables, study, "b", scope, lambda: vocabulary_of(study), run_id="r", made_at=WHEN, **given)


def rows_of(lake: Lake) -> dict[tuple[str, str, int, str], dict]:
    found = lake.read("summaries/scores", "b")
    assert found.schema.equals(SUMMARY_SCORES, check_metadata=False)
    return {(r["summarizer"], r["variant"], r["note_id"], r["metric"]): r for r in found.to_pylist()}


@pytest.fixture
def lake(tmp_path, study) -> Lake:
    lake = Lake(tmp_path)
    land(lake, TEXTS)
    summarize(lake, study, set(TEXTS))
    return lake


def test_every_summary_is_scored_beside_its_floors_as_the_metrics_define(lake, study) -> None:
    run = score(lake, study)
    assert (run.n_computed, run.n_cached) == (9, 0)
    assert run.by_summarizer == {"extractive": 3, "extractive_clauses": 3, SOURCE_ITSELF: 3}
    rows = rows_of(lake)
    assert {(s, v) for s, v, *_ in rows} == {
        ("extractive", "summary"), ("extractive", "lead"), ("extractive_clauses", "summary"), ("extractive_clauses", "lead"),
        (SOURCE_ITSELF, "copy"),
    }  # fmt: skip
    extract = extractor_for(vocabulary_of(study)).extract
    text = {
        t: {r["note_id"]: r["text"] for r in lake.read(t, "b").to_pylist()} for t in (VERBOSE.table, COMPRESSED.table)
    }
    for k, source in TEXTS.items():
        one, two = text[VERBOSE.table][k], text[COMPRESSED.table][k]
        whole = SummaryRow(str(k), source, extract(source), two, extract(two), one, extract(one))
        for metric, ratio in score_rows([whole])[0].items():
            if metric.startswith("rouge"):
                assert ("extractive_clauses", "summary", k, metric) not in rows  # there is no reference
            else:
                row = rows["extractive_clauses", "summary", k, metric]
                assert Ratio(row["numerator"], row["denominator"], row["flagged"]) == ratio
                assert row["value"] == ratio.value
        assert ("extractive", "summary", k, "retention_entities_vs_first_stage") not in rows
        assert rows[SOURCE_ITSELF, "copy", k, "retention_entities_vs_source"]["value"] == 1
        assert rows["extractive_clauses", "lead", k, "hallucinated_numbers"]["numerator"] == 0
        assert rows["extractive_clauses", "summary", k, "retention_follow_up_vs_source"]["denominator"] == 1


def test_what_is_scored_already_is_carried_over_and_what_changed_is_not(lake, study) -> None:
    before = score(lake, study)
    again = score(lake, study)
    assert (again.n_computed, again.n_cached, again.written.digest) == (0, 9, before.written.digest)
    land(lake, TEXTS | {2: TEXTS[2] + " Potassium 9.9 now."})
    # the summaries are of the old text: no score is better than a wrong one
    assert score(lake, study).by_summarizer == {"extractive": 2, "extractive_clauses": 2, SOURCE_ITSELF: 2}
    summarize(lake, study, set(TEXTS))
    assert score(lake, study).n_computed == 3
    other = study.model_copy(update={"fields": study.fields})  # same study: nothing new
    assert score(lake, other).n_computed == 0


def test_a_reference_is_compared_by_rouge_and_scores_are_made_anew_when_it_comes(lake, study) -> None:
    score(lake, study)
    written = [
        {"note_id": 1, "note_sha256": sha(TEXTS[1]), "author": "a", "text": TEXTS[1], "text_sha256": sha(TEXTS[1])}
    ]
    table = pa.Table.from_pylist(written)
    lake.write("summaries/references", table, table.schema)
    run = score(lake, study)
    assert (run.n_computed, run.n_cached) == (3, 6)
    rows = rows_of(lake)
    assert {key[2] for key in rows if key[3].startswith("rouge")} == {1}
    assert rows[SOURCE_ITSELF, "copy", 1, "rouge2_f1"]["value"] == 1
    assert rows["extractive_clauses", "summary", 1, "rouge1_precision"]["value"] == 1
    assert rows["extractive_clauses", "summary", 1, "rouge1_recall"]["value"] < 1
    assert score(lake, study).n_computed == 0


def test_notes_out_of_scope_have_no_scores_though_summaries_of_them_are_there(lake, study) -> None:
    run = score(lake, study, scope={1, 3})
    assert {key[2] for key in rows_of(lake)} == {1, 3}
    assert run.by_summarizer == {"extractive": 2, "extractive_clauses": 2, SOURCE_ITSELF: 2}


def test_a_further_summarizer_joins_and_an_invention_is_seen(lake, study) -> None:
    written = []
    for row in lake.read(COMPRESSED.table, "b").to_pylist():
        text = row["text"] + " Warfarin 5 mg daily."
        written.append({**row, "summarizer": "inventor", "text": text, "text_sha256": sha(text)})
    schema = lake.read(COMPRESSED.table, "b").schema
    lake.write("summaries/compressed_inventor", pa.Table.from_pylist(written, schema=schema), schema, batch="b")
    tables = [
        *OFFLINE,
        ScoredTable("summaries/compressed_inventor", VERBOSE.table),
        ScoredTable("summaries/verbose_absent"),
    ]
    score(lake, study)
    run = score(lake, study, tables=tables)
    assert (run.n_cached, run.n_computed) == (9, 3)
    rows = rows_of(lake)
    for k in TEXTS:
        assert rows["inventor", "summary", k, "hallucinated_numbers"]["numerator"] == 1
        assert rows["inventor", "summary", k, "hallucinated_entities"]["numerator"] == 1
        assert rows["extractive_clauses", "summary", k, "hallucinated_numbers"]["numerator"] == 0
    with pytest.raises(FileNotFoundError, match="materialize one of summaries/verbose_absent"):
        score(lake, study, tables=tables[-1:])


def test_bertscore_is_of_so_many_notes_and_names_its_encoder(lake, study) -> None:
    asked = []

    def fake(candidates, references):
        asked.extend(candidates)
        return [(0.5, float("nan"), 0.25)] * len(candidates), "tiny@1/layer1"

    assert score(lake, study, bertscore=fake).n_with_bertscore == 0  # the study does not want it
    wanting = study.model_copy(
        update={
            "summaries": study.summaries.model_copy(
                update={"bertscore": BertScore(encoder="tiny", layer=1, most_notes=2)}
            )
        }
    )
    assert score(lake, wanting, bertscore=fake).n_with_bertscore == 2
    assert len(asked) == 2 * 4
    found = [row for key, row in rows_of(lake).items() if key[3] == "bertscore_f1_vs_source"]
    assert {(row["value"], row["encoder"]) for row in found} == {(0.25, "tiny@1/layer1")}
    assert {row["value"] for key, row in rows_of(lake).items() if key[3] == "bertscore_recall_vs_source"} == {None}
    assert score(lake, wanting, bertscore=fake).n_computed == 0


def test_the_tables_are_the_means_of_the_scores(lake, study) -> None:
    score(lake, study)
    scores = lake.read("summaries/scores", "b")
    table = {(r["summarizer"], r["variant"], r["metric"]): r for r in metrics_table(scores).to_pylist()}
    for summarizer, variant in {key[:2] for key in table}:
        mine = [r for r in scores.to_pylist() if (r["summarizer"], r["variant"]) == (summarizer, variant)]
        by_note: dict[int, dict[str, Ratio]] = {}
        for r in mine:
            by_note.setdefault(r["note_id"], {})[r["metric"]] = Ratio(r["numerator"], r["denominator"], r["flagged"])
        names = sorted(by_note[1])
        wanted = aggregate(
            [{name: by_note[k][name] for name in names} for k in sorted(by_note)],
            [str(k) for k in sorted(by_note)],
            seed=20251121,
        )
        for name, one in wanted.items():
            row = table[summarizer, variant, name]
            for field in ("macro", "macro_low", "macro_high", "micro", "micro_high", "n_defined", "n_flagged"):
                value = getattr(one, field)
                assert row[field] == (None if isinstance(value, float) and math.isnan(value) else value), (name, field)
    assert metrics_table(scores.slice(0, 0)).num_rows == 0
    pairs = {(r["summarizer"], r["versus"], r["retention"]): r for r in compression_retention_table(scores).to_pylist()}
    assert set(pairs) == {
        *(("extractive", "source", kind) for kind in ("entities", "numeric")),
        *(("extractive_clauses", versus, kind) for versus in ("source", "first_stage") for kind in ("entities", "numeric")),
    }  # fmt: skip
    assert all(row["n"] == 3 for row in pairs.values())


def test_controls_tell_a_summarizer_that_ignores_its_input(lake, study) -> None:
    rows = lake.read(COMPRESSED.table, "b").to_pylist()
    same = [{**row, "summarizer": "parrot", "text": TEXTS[1], "text_sha256": sha(TEXTS[1])} for row in rows]
    schema = lake.read(COMPRESSED.table, "b").schema
    lake.write("summaries/compressed_parrot", pa.Table.from_pylist(same, schema=schema), schema, batch="b")
    tables = [*OFFLINE, ScoredTable("summaries/compressed_parrot", VERBOSE.table), ScoredTable("summaries/absent")]
    write_controls(lake, tables, study, lambda: set(TEXTS), run_id="r", made_at=WHEN)
    found = {row["summarizer"]: row for row in lake.read("summaries/controls").to_pylist()}
    assert set(found) == {"extractive", "extractive_clauses", "parrot"}
    assert found["extractive_clauses"]["difference_low"] > 0.1
    assert not found["parrot"]["difference_low"] > 0
    write_controls(lake, tables[:1], study, lambda: {2, 3}, most=1, run_id="r", made_at=WHEN)
    (row,) = lake.read("summaries/controls").to_pylist()
    assert (row["n_summaries"], row["n_rows"], row["n_compared"], row["own"]) == (2, 1, 0, None)
    # nothing is summarized: nobody is asked for the scope
    write_controls(lake, tables[-1:], study, lambda: 1 / 0, run_id="r", made_at=WHEN)


def test_follow_ups_are_told_by_kind_and_time() -> None:
    assert follow_ups("Follow-up in 3 months. We will recheck CBC in two weeks.") == {"visit 3 month", "test 2 week"}
    assert follow_ups("Return to clinic in 4-6 weeks; referred to cardiology.") == {
        "visit 4-6 week",
        "referral 4-6 week",
    }
    assert follow_ups("She was seen by Dr. A and did well.") == set()
    assert follow_up_retention("Follow up in 3 months.", "F/u within 3 months.") == Ratio(1, 1)
    assert follow_up_retention("Follow up in 3 months.", "Follow up.") == Ratio(0, 1)
    assert follow_up_retention("Well.", "Well.").value is None


def test_spearman_is_that_of_scipy_with_limits_over_persons() -> None:
    draw = np.random.default_rng(4)
    x = draw.integers(0, 8, 60).astype(float)
    y = x + draw.normal(0, 3, 60).round()
    people = draw.integers(0, 25, 60)
    estimate, low, high = spearman(x, y, people)
    assert estimate == pytest.approx(spearmanr(x, y).statistic)
    assert low < estimate < high
    assert spearman(x, y, people) == (estimate, low, high)
    # one person says nothing of others; a constant has no ranks; rows said thrice are no news
    assert np.isnan(spearman(x, y, np.zeros(60))[1:]).all()
    assert np.isnan(spearman(np.ones(60), y, people)).all()
    assert spearman(np.tile(x, 3), np.tile(y, 3), np.tile(people, 3))[1:] == pytest.approx((low, high))
    with pytest.raises(ValueError, match="finite"):
        spearman([1, 2, float("nan")], [1, 2, 3], [1, 2, 3])


def test_one_length_for_all() -> None:
    assert tokens("Hb 12.6 g/dL, 120/80") == ["Hb", "12.6", "g", "/", "dL", ",", "120/80"]
    assert count_tokens("x" * 161) == 3  # a blob has a length
