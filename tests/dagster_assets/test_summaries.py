"""Summaries in the real graph: what is written, what a rerun does, what bad input gets, and that no text leaves the lake."""

from __future__ import annotations

import json

import dagster as dg
import duckdb
import pytest

from clinical_assets.storage.lake import Lake
from clinical_assets.storage.summary_contracts import SUMMARIES
from clinical_assets.summaries.spans import Span, render
from tests.dagster_assets.builds import build
from tests.hospital import CANARY, CML, note

LONG = (
    f"HPI: {CANARY} has chronic myeloid leukemia since 2014, now on imatinib 400 mg daily, tolerating it well. Work has been "
    "fine. Enjoys gardening. Denies fever, cough or chest pain.\nLabs: BCR::ABL1 0.020% on 3/17/2020. Hb 12.6, platelets "
    "210.\nFamily History: no leukemia.\nPlan: continue imatinib 400 mg daily. Seen again in 3 months. Encouraged exercise."
)
FRENCH = (
    "Le patient est suivi pour une leucémie et il ne présente pas de fièvre ni de douleur. Il est traité par imatinib "
    "depuis deux ans avec une bonne tolérance et sans effets sur la vie quotidienne. Les analyses sont dans les normes pour le mois."
)
STAGES = ("summaries/verbose_extractive", "summaries/compressed_extractive")
SCORES = "summaries/scores"
JOB = "summarize_note_batch"


@pytest.fixture
def everyone(hospital, monkeypatch, tmp_path):
    """A hospital whose study labels, and so summarizes, every note."""
    from clinical_assets.study.load import DEFAULT_STUDY

    study = tmp_path / "study.yaml"
    study.write_text(
        DEFAULT_STUDY.read_text(encoding="utf-8").replace("label_scope: latest", "label_scope: all"), encoding="utf-8"
    )
    monkeypatch.setenv("CLINICAL_STUDY", str(study))
    return hospital


def metadata(result, key: str) -> dict:
    event = next(e for e in result.get_asset_materialization_events() if e.asset_key.to_user_string() == key)
    return {name: value.value for name, value in event.materialization.metadata.items()}


def checks(result) -> dict[str, bool]:
    return {f"{c.asset_key.path[-1]}:{c.check_name}": c.passed for c in result.get_asset_check_evaluations()}


def test_two_stages_on_good_and_bad_notes(everyone, execute, defs, instance) -> None:
    everyone.land(
        "b1",
        note(1, 1, LONG),
        note(2, 2, "   \n "),
        note(3, 3, FRENCH),
        note(4, 1, "Chronic myeloid leukemia.", "2020-06-01"),
    )
    execute("materialize_note_batch", "b1")
    execute("find_notes_in_scope")
    first = execute(JOB, "b1")
    lake = Lake(everyone.data / "lake")
    texts = {row["note_id"]: row["text"] for row in lake.read("notes/notes", "b1").to_pylist()}
    rows = {table: {r["note_id"]: r for r in lake.read(table, "b1").to_pylist()} for table in STAGES}
    for table in STAGES:
        assert lake.read(table, "b1").schema.equals(SUMMARIES, check_metadata=False)
        statuses = {note_id: row["status"] for note_id, row in rows[table].items()}
        assert statuses == {1: "summarized", 2: "no_text", 3: "not_english", 4: "one_line"}
        for note_id, row in rows[table].items():
            if row["text"] is None:
                assert row["spans"] == []
                assert note_id in {2, 3}
            else:
                # the spans say it all: the text is made of them again
                assert render(texts, [Span(**span) for span in row["spans"]]) == row["text"]
                assert all(texts[s["note_id"]][s["start"] : s["end"]] in row["text"] for s in row["spans"])
    one, two = rows[STAGES[0]][1], rows[STAGES[1]][1]
    assert (one["summarizer"], two["summarizer"]) == ("extractive", "extractive_clauses")
    assert two["n_tokens_in"] == one["n_tokens_out"] <= 0.9 * one["n_tokens_source"]
    assert two["n_tokens_out"] <= 0.6 * two["n_tokens_in"]
    assert one["n_numeric"] == one["n_numeric_kept"] == two["n_numeric_kept"] >= 6
    assert one["similarity"] == "tfidf"
    assert 0.39 < one["bound"] <= 1
    assert rows[STAGES[1]][4]["text"] == texts[4]
    assert all(checks(first).values()), checks(first)
    shown = metadata(first, STAGES[1])
    assert (shown["n_computed"], shown["n_cached"]) == (4, 0)
    assert shown["rows_by_status"] == {"summarized": 1, "no_text": 1, "not_english": 1, "one_line": 1}
    assert CANARY not in json.dumps([metadata(first, table) for table in (*STAGES, SCORES)], default=str)
    # notes without a summary have no scores; two summarizers and the source itself for the other two
    shown = metadata(first, SCORES)
    assert shown["summaries"] == {"extractive": 2, "extractive_clauses": 2, "(source)": 2}
    assert shown["n_notes_with_bertscore"] == "not computed: summaries.bertscore is not set"

    again = execute(JOB, "b1")
    for table in STAGES:
        assert (metadata(again, table)["n_computed"], metadata(again, table)["n_cached"]) == (0, 4)
    assert (metadata(again, SCORES)["n_computed"], metadata(again, SCORES)["n_cached"]) == (0, 6)
    assert versions(first) == versions(again)

    # one note changed: it alone is summarized anew
    everyone.land(
        "b1",
        note(1, 1, LONG + " Hb 9.9."),
        note(2, 2, "   \n "),
        note(3, 3, FRENCH),
        note(4, 1, "Chronic myeloid leukemia.", "2020-06-01"),
    )
    execute("materialize_note_batch", "b1")
    execute("find_notes_in_scope")
    changed = execute(JOB, "b1")
    assert metadata(changed, STAGES[0])["n_computed"] == metadata(changed, STAGES[1])["n_computed"] == 1
    assert versions(changed) != versions(first)
    assert "Hb 9.9" in {r["note_id"]: r["text"] for r in lake.read(STAGES[1], "b1").to_pylist()}[1]

    built = build(defs, instance, "summaries/*", "report/summary_figures")
    assert_evaluated(everyone, built)
    with duckdb.connect(str(everyone.data / "warehouse" / "clinical.duckdb"), read_only=True) as connection:
        counted = connection.execute(
            "select summarizer, stage, count(*), count(ratio), count(numeric_retention) from summaries.summaries group by all order by 2"
        ).fetchall()
        assert counted == [("extractive", 1, 4, 2, 1), ("extractive_clauses", 2, 4, 2, 1)]
        columns = connection.execute(
            "select table_schema, table_name, column_name from information_schema.columns where data_type = 'VARCHAR'"
        ).fetchall()
        assert ("summaries", "summaries", "text") not in columns
        for schema, table, column in columns:
            found = connection.execute(
                f'select count(*) from {schema}.{table} where "{column}" like ?', [f"%{CANARY}%"]
            )
            assert found.fetchone() == (0,), f"{schema}.{table}.{column}"
    for run in instance.get_runs():
        said = " ".join(str(entry) for entry in instance.all_logs(run.run_id))
        assert CANARY not in said, run.job_name


def assert_evaluated(hospital, built) -> None:
    """Tables, checks, section and export say the same, and hold no text."""
    warehouse = hospital.data / "warehouse" / "clinical.duckdb"
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        of_notes = connection.execute(
            "select summarizer, note_id, n_hallucinated_numbers, numeric_retention from summaries.samples order by all"
        ).fetchall()
        assert [row[:3] for row in of_notes] == [
            ("extractive", 1, 0), ("extractive", 4, 0), ("extractive_clauses", 1, 0), ("extractive_clauses", 4, 0),
        ]  # fmt: skip
        assert [row[3] for row in of_notes][1::2] == [None, None]  # note 4 has no number to keep
        counted = connection.execute(
            "select n_rows, n_defined, n_flagged, macro from summaries.metrics "
            "where summarizer = 'extractive_clauses' and variant = 'summary' and metric = 'compression_tokens_vs_first_stage'"
        ).fetchone()
        assert counted[:3] == (2, 1, 1)  # one line is too short to be shortened: in no mean
        assert counted[3] <= 0.6
        items = connection.execute(
            "select item, n_in_source, n_in_summary from summaries.checklist where summarizer = 'extractive' and note_id = 1 order by 1"
        ).fetchall()
        assert {item for item, *_ in items} >= {"diagnoses", "doses", "follow_up", "labs", "medications", "timeline"}
        assert connection.execute("select count(*) from summaries.input_dependence").fetchone() == (2,)
    said = {
        c.check_name: c
        for c in built.get_asset_check_evaluations()
        if list(c.asset_key.path) == ["summaries", "metrics"]
    }
    ratio = said["compression_ratio_is_at_most_0_6"]
    assert ratio.passed
    assert ratio.severity == dg.AssetCheckSeverity.WARN
    assert ratio.metadata["values"].value["extractive_clauses"]["macro"] == counted[3]
    assert said["no_number_is_hallucinated"].passed
    section = (hospital.data / "report" / "summaries.md").read_text(encoding="utf-8")
    assert f"| {counted[3]:.3f} " in section
    folder = hospital.data / "exports" / "summaries"
    exported = json.loads((folder / "summaries.json").read_text(encoding="utf-8"))
    assert exported["snapshot"]["summaries"]["compressed_ratio"] == 0.6
    assert {one["summarizer"] for one in exported["snapshot"]["summarizers"]} == {"extractive", "extractive_clauses"}
    assert {path.name for path in folder.iterdir()} == {
        "metrics.csv", "samples.csv", "checklist.csv", "compression_retention.csv", "input_dependence.csv", "summaries.json",
    }  # fmt: skip
    assert folder.parent.stat().st_mode & 0o077 == 0
    assert not [
        path
        for path in [*folder.iterdir(), hospital.data / "report" / "summaries.md"]
        if CANARY in path.read_text("utf-8")
    ]


def test_notes_out_of_scope_are_neither_summarized_nor_scored(hospital, execute, monkeypatch, tmp_path) -> None:
    from clinical_assets.study.load import DEFAULT_STUDY

    study = tmp_path / "study.yaml"
    said = DEFAULT_STUDY.read_text(encoding="utf-8").replace("label_scope: latest", "label_scope: cohort")
    study.write_text(said, encoding="utf-8")
    monkeypatch.setenv("CLINICAL_STUDY", str(study))
    # of person 1, who is in the cohort, a note in the window and one before it; person 2 is not in the cohort
    hospital.land("b1", note(1, 1, LONG), note(2, 1, LONG, "2001-01-01"), note(3, 2, LONG.replace("CML", "")))
    execute("materialize_note_batch", "b1")
    execute("find_notes_in_scope")
    execute(JOB, "b1")
    lake = Lake(hospital.data / "lake")
    for table in (*STAGES, SCORES):
        assert set(lake.read(table, "b1", ["note_id"])["note_id"].to_pylist()) == {1}, table


def versions(result) -> list[str]:
    return sorted(
        event.materialization.tags["dagster/data_version"] for event in result.get_asset_materialization_events()
    )


def test_stage_two_without_stage_one_fails_with_the_way_out(hospital, execute, defs, instance) -> None:
    hospital.land("b1", note(1, 1, CML))
    execute("materialize_note_batch", "b1")
    execute("find_notes_in_scope")
    result = defs.resolve_job_def(JOB).execute_in_process(
        instance=instance, partition_key="b1", raise_on_error=False, asset_selection=[dg.AssetKey(STAGES[1].split("/"))]
    )
    assert not result.success
    said = " ".join(str(e.event_specific_data.error) for e in result.all_events if e.is_step_failure)
    assert "materialize summaries/verbose_extractive" in said
    assert CANARY not in said
