"""The cohort of the demo hospital against what is true of it by construction, person by person and rule by rule."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from clinical_assets.cohort.parameters import dbt_vars
from clinical_assets.study.load import load_study
from clinical_assets.synthetic.hospital import Hospital, truth_table

pytestmark = pytest.mark.slow

RULES = {
    "has_cml_index": "has_cml_index",
    "adult_at_index": "adult_at_index",
    "prior_observation_365d": "prior_observation",
    "no_prior_tki": "no_prior_tki",
    "no_other_tki": "no_other_tki",
    "no_bmt_before_index": "no_transplant_before_index",
    "no_advanced_phase_at_start": "no_advanced_phase_at_start",
    "imatinib_within_180d": "imatinib_started",
}
DATES = {
    "index_date": "index_date", "birth_date": "birth_date", "period_start": "period_start", "period_end": "period_end",
    "first_tki": "first_tki_date", "first_imatinib_from_index": "first_imatinib_date",
    "first_other_tki_from_index": "first_other_tki_date", "first_transplant": "first_transplant_date",
    "first_advanced_phase": "first_advanced_phase_date", "death_date": "death_date",
    "end_without_switch": "end_without_switch", "follow_up_end": "follow_up_end",
}  # fmt: skip


def test_dbt_ran_every_model_and_no_test_failed(demo_build) -> None:
    statuses = demo_build[1]
    assert {status for status in statuses.values()} <= {"success", "pass", "warn"}
    # The demo vocabulary is an extract: ids outside it stay reported, nothing else warns.
    assert {name for name, status in statuses.items() if status == "warn"} == {
        "no_declared_concept_is_unresolved_concept_set_items_",
        "every_concept_set_reaches_its_table_concept_set_members_",
    }


def test_every_rule_holds_for_whom_it_should(demo: Hospital, warehouse) -> None:
    true = {
        (row["person_id"], RULES[row["rule"]]): row["holds"]
        for row in truth_table(demo, "rules").to_pylist()
        if row["holds"] is not None
    }
    found = {(p, rule): holds for p, rule, holds in warehouse.execute("select person_id, rule, holds from cohort.person_rules").fetchall()}
    assert found == true
    assert len({holds for holds in found.values()}) == 2


def test_the_cohort_is_the_known_membership(demo: Hospital, warehouse) -> None:
    true = {row["person_id"] for row in truth_table(demo, "cml").to_pylist() if row["in_cohort"]}
    found = [row[0] for row in warehouse.execute("select person_id from cohort.cml_imatinib").fetchall()]
    assert sorted(found) == sorted(true)
    assert len(true) > 100


def test_every_date_behind_the_rules(demo: Hospital, warehouse) -> None:
    true = {row["person_id"]: {DATES[name]: row[name] for name in DATES} for row in truth_table(demo, "cml").to_pylist()}
    rows = warehouse.sql(f"select person_id, {', '.join(DATES.values())} from cohort.cml_course").to_arrow_table().to_pylist()
    assert {row.pop("person_id"): row for row in rows} == true


def test_evidence_tiers(demo: Hospital, warehouse) -> None:
    rows = warehouse.execute(
        "select person_id, evidence_tier, lab_date, registry_date, note_date from cohort.bcr_abl1_evidence"
    ).fetchall()
    true = {row["person_id"]: row for row in truth_table(demo, "cml").to_pylist()}
    for person, tier, lab, registry, note in rows:
        assert (lab, registry) == (true[person]["first_bcr_abl_positive"], true[person]["first_registry_9875"])
        assert tier == ("lab" if lab else "registry" if registry else "note" if note else "none")
    assert {tier for _, tier, _, _, _ in rows} == {"lab", "registry", "note", "none"}
    said = warehouse.execute(
        "select count(distinct person_id) from labels.regex_labels where labeller = 'regex' and field = 'bcr_abl1_positive' and value"
    ).fetchone()
    assert said[0] >= sum(note is not None for *_, note in rows) > 20


def test_attrition_is_what_the_rules_say_in_order(demo: Hospital, warehouse) -> None:
    holds: dict[int, dict[str, bool]] = {}
    for row in truth_table(demo, "rules").to_pylist():
        holds.setdefault(row["person_id"], {})[RULES[row["rule"]]] = row["holds"]
    left = set(holds)
    for rule, before, dropped, after in warehouse.execute(
        "select rule, n_before, n_dropped, n_after from cohort.attrition order by rule_order"
    ).fetchall():
        out = {person for person in left if not holds[person][rule]}
        assert (before, dropped, after) == (len(left), len(out), len(left - out)), rule
        left -= out
    excluded = warehouse.execute(
        "select count(*) filter (excluded_here), count(distinct person_id) filter (excluded_here) from cohort.person_rules"
    ).fetchone()
    assert excluded == (len(holds) - len(left),) * 2


def test_follow_up_ends_for_the_reason_it_gives(warehouse) -> None:
    wrong = warehouse.execute("""
        select count(*) from cohort.cml_course where follow_up_end <> case follow_up_end_reason
            when 'death' then death_date when 'switch' then first_other_tki_date
            when 'transplant' then first_transplant_after_index_date when 'end of observation' then period_end
            when 'end of study follow-up' then index_date + 3650 end
    """).fetchone()
    assert wrong == (0,)
    assert warehouse.execute("select count(distinct follow_up_end_reason) from cohort.cml_course").fetchone() == (5,)


def test_follow_up_is_not_a_condition_of_eligibility(warehouse) -> None:
    short = warehouse.execute("select count(*) from cohort.cml_imatinib where follow_up_days < 3650").fetchone()[0]
    assert short > 50


def test_seed_compatible_is_the_earlier_study_read_in_plain_sql(demo_build: tuple[Path, object], warehouse) -> None:
    """Written from the description of that study, on the landed files, without any macro or model."""
    omop = demo_build[0] / "landing" / "omop"
    t = {path.stem: f"read_parquet('{path}')" for path in omop.glob("*.parquet")}
    plain = f"""
    with cml as (
        select distinct a.descendant_concept_id as id from {t["concept_ancestor"]} a join {t["concept"]} c on c.concept_id = a.descendant_concept_id
        where a.ancestor_concept_id = 134603 and c.invalid_reason is null
    ),
    bmt as (
        select distinct a.descendant_concept_id as id from {t["concept_ancestor"]} a join {t["concept"]} c on c.concept_id = a.descendant_concept_id
        where a.ancestor_concept_id = 4028623 and c.invalid_reason is null
    ),
    -- condition eras: a new era starts more than 30 days after every earlier record of the condition has ended
    record as (
        select person_id, condition_concept_id as id, condition_start_date as s,
            greatest(condition_start_date, coalesce(condition_end_date, condition_start_date + 1)) as e
        from {t["condition_occurrence"]} where condition_concept_id in (from cml)
    ),
    start as (
        select distinct person_id, id, s from record r
        where not exists (select 1 from record q where q.person_id = r.person_id and q.id = r.id and q.s < r.s and q.e + 30 >= r.s)
    ),
    event as (
        select start.person_id, s, p.observation_period_start_date as op_start, p.observation_period_end_date as op_end
        from start join {t["person"]} using (person_id) join {t["observation_period"]} p using (person_id)
        where year(s) - year_of_birth >= 18 and s >= op_start and s + 3650 <= op_end
    ),
    first_event as (select person_id, min(s) as s, arg_min(op_start, s) as op_start, arg_min(op_end, s) as op_end from event group by person_id)
    select person_id, s, op_end from first_event f
    where not exists (select 1 from {t["condition_occurrence"]} c where c.person_id = f.person_id
            and condition_concept_id in (4187635, 4211481) and condition_start_date between op_start and least(op_end, s))
        and not exists (select 1 from {t["drug_exposure"]} d where d.person_id = f.person_id
            and drug_concept_id in (42900401, 1358436, 1525007, 1394023, 43013182, 702133, 43009098)
            and drug_exposure_start_date between op_start and op_end)
        and not exists (select 1 from {t["procedure_occurrence"]} p where p.person_id = f.person_id
            and procedure_concept_id in (from bmt) and procedure_date between op_start and s)
    order by person_id
    """
    meant = warehouse.execute(plain).fetchall()
    found = warehouse.execute("select person_id, start_date, end_date from cohort.cml_seed_compatible order by person_id").fetchall()
    assert found == meant
    assert len(meant) == 100


def test_the_two_cohorts_are_compared_person_by_person(warehouse) -> None:
    n, ours, seed = warehouse.execute(
        "select count(*), count_if(in_cohort), count_if(in_seed_compatible) from cohort.cohort_comparison"
    ).fetchone()
    assert (ours, seed) == (128, 100)
    assert n >= 320
    # Whoever is kept out has a reason on that side, and whoever is in has none.
    wrong = warehouse.execute("""
        select count(*) from cohort.cohort_comparison
        where in_cohort = (excluded_by is not null and index_date is not null) or in_seed_compatible = (excluded_by_seed_rule is not null)
    """).fetchone()
    assert wrong == (0,)
    # The earlier study compared ingredients with exposures, so its rule on other inhibitors never fired.
    assert warehouse.execute("select count(*) from cohort.seed_primary_events where not no_other_tki_in_period").fetchone() == (0,)
    assert warehouse.execute("select count(*) from cohort.cohort_comparison where in_seed_compatible and excluded_by = 'no_other_tki'").fetchone()[0] > 0


def test_treatment_eras_join_gaps_of_thirty_days(warehouse) -> None:
    gaps = warehouse.execute("""
        select min(era_start - previous_end) from (
            select era_start, lag(era_end) over (partition by person_id, drug order by era_start) as previous_end from cohort.treatment_eras
        )
    """).fetchone()[0]
    assert gaps > 30
    exposures, joined = warehouse.execute("select (select count(*) from cohort.tki_exposures), (select sum(n_exposures) from cohort.treatment_eras)").fetchone()
    assert exposures == joined


def test_latest_note_is_chosen_as_the_study_says(warehouse) -> None:
    notes: dict[int, list[dict]] = {}
    for row in warehouse.sql("select person_id, note_id, note_date, note_type, status, n_chars from notes.note_index").to_arrow_table().to_pylist():
        notes.setdefault(row["person_id"], []).append(row)
    windows = warehouse.execute("select person_id, index_date, period_end from cohort.cml_course").fetchall()
    chosen = {row["person_id"]: row for row in warehouse.sql("from notes.latest_progress_notes").to_arrow_table().to_pylist()}
    assert set(chosen) == {person for person, _, _ in windows}
    n_passed_over = 0
    for person, start, end in windows:
        inside = [n for n in notes.get(person, []) if n["note_type"] == "Progress Notes" and start <= n["note_date"] <= end]
        usable = [n for n in inside if n["status"] == "usable" and n["n_chars"] >= 40]
        best = max(usable, key=lambda n: (n["note_date"], n["note_id"]), default=None)
        newer = [n for n in inside if best is None or (n["note_date"], n["note_id"]) > (best["note_date"], best["note_id"])]
        reasons = sorted({n["status"] if n["status"] != "usable" else "too_short" for n in newer})
        row = chosen[person]
        assert row["note_id"] == (best and best["note_id"])
        assert row["n_passed_over"] == len(newer)
        assert row["passed_over_because"] == (", ".join(reasons) or None)
        n_passed_over += len(newer)
    assert n_passed_over > 0


def test_manual_labels_find_the_text_they_were_given_for(demo: Hospital, warehouse) -> None:
    gold: pa.Table = demo.annotations["concept_labels"]
    n_current = warehouse.execute("select count(distinct note_id) from labels.manual_labels").fetchone()[0]
    held = warehouse.execute("select count(*) from notes.note_index where status in ('usable', 'not_english')").fetchone()[0]
    assert n_current >= 0.97 * min(held, len(set(gold["note_id"].to_pylist())))
    answers = {(row["note_id"], row["field"]): row["value"] for row in gold.to_pylist()}
    for note_id, field, value in warehouse.execute("select note_id, field, value from labels.manual_labels using sample 2000").fetchall():
        assert answers[note_id, field] is value


@pytest.mark.parametrize("scope", ["cohort", "all"])
def test_other_scopes_and_windows_of_notes(demo_build, tmp_path: Path, scope: str) -> None:
    from resources.dbt import DBT_PROJECT_DIR

    study = load_study()
    note = study.latest_note.model_copy(update={"window": "follow_up", "min_chars": 400, "note_types": ["progress notes", "Consult Note"]})
    values = dbt_vars(study.model_copy(update={"latest_note": note, "label_scope": scope}))
    copy = tmp_path / "clinical.duckdb"
    shutil.copyfile(demo_build[0] / "warehouse" / "clinical.duckdb", copy)
    command = ["dbt", "run", "--select", "latest_progress_notes", "labelling_scope", "--vars", json.dumps(values)]
    command += ["--project-dir", str(DBT_PROJECT_DIR), "--profiles-dir", str(DBT_PROJECT_DIR), "--target-path", str(tmp_path / "target")]
    environment = os.environ | {"DBT_ENV_SECRET_CLINICAL_DATABASE": str(copy), "DBT_LOG_PATH": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout[-2000:]
    with duckdb.connect(str(copy), read_only=True) as connection:
        late, types, short = connection.execute(
            "select count_if(note_date > follow_up_end), list(distinct note_type order by note_type) filter (note_id is not null), "
            "min(n_chars) from notes.latest_progress_notes join cohort.cml_course using (person_id)"
        ).fetchone()
        assert (late, types) == (0, ["Consult Note", "Progress Notes"])
        assert short >= 400
        n, outside = connection.execute(
            "select count(*), count_if(person_id not in (select person_id from cohort.cml_imatinib)) from notes.labelling_scope"
        ).fetchone()
        notes = connection.execute("select count(*) from notes.note_index").fetchone()[0]
    if scope == "all":
        assert n == notes
    else:
        assert 128 < n < notes
        assert outside == 0
