"""Outcomes of the demo hospital, worked out again in plain Python from its charts, and their curves."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from lifelines import KaplanMeierFitter

from clinical_assets.synthetic.hospital import Hospital, truth_table

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def course(demo: Hospital) -> dict[int, dict]:
    """Persons who start imatinib under follow-up and meet every rule but the one that looks ahead; True: the cohort."""
    holds: dict[int, dict[str, bool]] = {}
    for row in truth_table(demo, "rules").to_pylist():
        holds.setdefault(row["person_id"], {})[row["rule"]] = row["holds"]
    return {
        row["person_id"]: row | {"in_cohort": row["in_cohort"]}
        for row in truth_table(demo, "cml").to_pylist()
        if all(value for rule, value in holds[row["person_id"]].items() if rule != "no_other_tki")
        and row["first_imatinib_from_index"] <= row["follow_up_end"]
    }


def first_after(demo: Hospital, table: str, concepts: set[int], concept: str, date: str, after: dict[int, dt.date], keep=lambda row: True):
    found: dict[int, dt.date] = {}
    for row in demo.omop[table].to_pylist():
        person = row["person_id"]
        if row[concept] in concepts and person in after and row[date] > after[person] and keep(row):
            found[person] = min(found.get(person, row[date]), row[date])
    return found


def test_every_outcome_of_every_person(demo: Hospital, course, warehouse) -> None:
    start = {person: row["first_imatinib_from_index"] for person, row in course.items()}
    progressed = first_after(demo, "condition_occurrence", {4187635, 4211481}, "condition_concept_id", "condition_start_date", start)
    ratio = {row["concept_id"] for row in demo.omop["concept"].to_pylist() if row["concept_code"] == "46434-7"}
    measured = first_after(demo, "measurement", ratio, "measurement_concept_id", "measurement_date", start)
    responded = first_after(demo, "measurement", ratio, "measurement_concept_id", "measurement_date", start, lambda row: row["value_as_number"] <= 0.1)
    meant = set()
    for person, row in course.items():
        end, death, switch = row["follow_up_end"], row["death_date"], row["first_other_tki_from_index"]
        late = min([row["index_date"] + dt.timedelta(days=3650), row["period_end"], *([death] if death else [])])
        if switch and death and death <= switch:
            switch = None
        for outcome, event, rival, last in [
            ("overall_survival", death, None, end),
            ("overall_survival_regardless_of_treatment", death, None, late),
            ("progression", progressed.get(person), death, end),
            ("treatment_switch", switch, death, end),
            ("major_molecular_response", responded.get(person), death, end),
        ]:
            if outcome == "major_molecular_response" and person not in measured:
                continue
            status, day = (1, event) if event and event <= last else (2, rival) if rival and rival <= last else (0, last)
            for population in ("cohort", "imatinib_starters") if row["in_cohort"] else ("imatinib_starters",):
                meant.add((population, outcome, person, (day - start[person]).days, status))
    found = set(warehouse.execute("select population, outcome, person_id, days, status from outcomes.person_outcomes").fetchall())
    assert found == meant
    assert {(o, s) for _, o, _, _, s in found} >= {("progression", 1), ("progression", 2), ("treatment_switch", 1), ("overall_survival", 0)}


def test_in_the_cohort_nobody_switches_because_its_rules_look_ahead(warehouse) -> None:
    switched = dict(warehouse.execute("select population, n_events from outcomes.survival_summary where outcome = 'treatment_switch'").fetchall())
    assert switched["cohort"] == 0
    assert switched["imatinib_starters"] > 50


@pytest.mark.parametrize("population", ["cohort", "imatinib_starters"])
def test_curves_are_those_of_the_persons(warehouse, population: str) -> None:
    rows = warehouse.execute("select days, status from outcomes.person_outcomes where outcome = 'overall_survival_regardless_of_treatment' and population = ?", [population]).fetchall()
    days, status = np.array(rows).T
    fitter = KaplanMeierFitter().fit(days, status)
    curve = warehouse.execute("select days, estimate, n_at_risk from outcomes.survival_curves where outcome = 'overall_survival_regardless_of_treatment' and population = ? order by days", [population]).fetchall()
    np.testing.assert_allclose([row[1] for row in curve], fitter.survival_function_["KM_estimate"], rtol=0, atol=1e-8)
    for years, estimate, n_at_risk in warehouse.execute("select years, estimate, n_at_risk from outcomes.survival_at_horizons where outcome = 'overall_survival_regardless_of_treatment' and population = ?", [population]).fetchall():
        assert estimate == pytest.approx(float(fitter.predict(round(years * 365.25))), abs=1e-8)
        assert n_at_risk == (days >= round(years * 365.25)).sum()
    n, person_years = warehouse.execute("select n, person_years from outcomes.survival_summary where outcome = 'overall_survival_regardless_of_treatment' and population = ?", [population]).fetchone()
    assert (n, person_years) == (len(days), pytest.approx(days.sum() / 365.25))


def test_milestones_take_the_nearest_result(demo: Hospital, course, warehouse) -> None:
    ratio = {row["concept_id"] for row in demo.omop["concept"].to_pylist() if row["concept_code"] == "46434-7"}
    results: dict[int, list[tuple[dt.date, float]]] = {}
    for row in demo.omop["measurement"].to_pylist():
        if row["measurement_concept_id"] in ratio:
            results.setdefault(row["person_id"], []).append((row["measurement_date"], row["value_as_number"]))
    limits = {3: (10.0, None), 6: (1.0, 10.0), 12: (0.1, 1.0)}
    found = warehouse.execute("select person_id, month, response, value_percent from outcomes.molecular_milestones where population = 'imatinib_starters'").fetchall()
    assert len(found) == 3 * len(course)
    for person, month, response, value in found:
        row = course[person]
        due = row["first_imatinib_from_index"] + dt.timedelta(days=round(month * 30.4375))
        near = [(abs((day - due).days), day, v) for day, v in results.get(person, []) if abs((day - due).days) <= 45 and day <= row["follow_up_end"]]
        optimal, warning = limits[month]
        if near:
            meant = min(near)[2]
            assert value == meant
            assert response == ("optimal" if meant <= optimal else "warning" if warning is None or meant <= warning else "failure")
        else:
            assert response == ("not_followed" if row["follow_up_end"] < due else "not_measured")
    assert {row[2] for row in found} == {"optimal", "warning", "failure", "not_measured", "not_followed"}
