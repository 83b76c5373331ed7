"""Patient lists, drug-event pairs, patterns, labels: rows in, rows out, on a private DuckDB."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

import pyarrow as pa
import pytest

from clinical_assets.entities.applications.patterns import prevalence_table, sequences_table
from clinical_assets.entities.applications.safety import count_pairs, pairs_table
from clinical_assets.statistics.suppression import Sum, exposed
from tests.application_models import SHA, Warehouse, day, vocabulary


@pytest.fixture
def warehouse() -> Iterator[Warehouse]:
    made = Warehouse()
    vocabulary(made)
    yield made
    made.connection.close()


def drug(warehouse: Warehouse, person: int, concept: int, start: str, number: int, end: str | None = None) -> None:
    warehouse.add(
        "stg_omop__drug_exposure",
        {"drug_exposure_id": number, "person_id": person, "drug_concept_id": concept, "drug_exposure_start_date": day(start),
         "drug_exposure_end_date": day(end or start), "drug_source_value": "src"},
    )  # fmt: skip


def condition(warehouse: Warehouse, person: int, concept: int, start: str, number: int) -> None:
    warehouse.add(
        "stg_omop__condition_occurrence",
        {"condition_occurrence_id": number, "person_id": person, "condition_concept_id": concept,
         "condition_start_date": day(start), "condition_source_value": "Z99"},
    )  # fmt: skip


def relation(warehouse: Warehouse, note: int, person: int, chemical: int, disease: int, **more: object) -> None:
    row = {
        "note_id": note, "note_sha256": SHA, "person_id": person, "batch": "b1", "chemical_key": f"concept:{chemical}",
        "disease_key": f"concept:{disease}", "chemical_concept_id": chemical, "disease_concept_id": disease, "value": True, "wording": "none",
        "chemical_assertion": "affirmed", "disease_assertion": "affirmed",
    } | more  # fmt: skip
    warehouse.add("lake_entities_relations", row)


# --- patient lists -------------------------------------------------------------------------------------------------------


def test_tables_and_notes_are_reconciled(warehouse: Warehouse) -> None:
    drug(warehouse, 1, 11, "2024-01-01", 1, "2024-03-01")
    condition(warehouse, 1, 100, "2023-12-01", 1)
    condition(warehouse, 1, 0, "2023-12-01", 2)
    for note, date in ((1, "2024-01-05"), (2, "2024-02-05")):
        warehouse.note(note, 1, date)
    warehouse.mention(1, 1, "2024-01-05", "chemical", 11)  # the tablet: the same ingredient as in the table
    warehouse.mention(2, 1, "2024-02-05", "disease", 100, assertion="negated")
    warehouse.mention(2, 1, "2024-02-05", "disease", None, mention_index=1)
    warehouse.mention(2, 1, "2024-02-05", "disease", 102, assertion="family", mention_index=2)
    warehouse.build("app_patient_lists")
    found = {
        row[0]: row[1:]
        for row in warehouse.rows(
            "select entity_key, domain, found_in, text_disagrees, n_records, n_notes, last_assertion, last_note_id from app_patient_lists"
        )
    }
    assert found == {
        "concept:1": ("drug", "both", False, 1, 1, "affirmed", 1),
        "concept:100": ("condition", "structured_only", True, 1, 1, "negated", 2),
        "source:Z99": ("condition", "structured_only", False, 1, 0, None, None),
        "text:ab": ("condition", "text_only", False, 0, 1, "affirmed", 2),
        "concept:102": ("condition", "not_affirmed", False, 0, 1, "family", 2),
    }
    assert warehouse.rows(
        "select structured_last_date, last_seen from app_patient_lists where entity_key = 'concept:1'"
    ) == [(day("2024-03-01"), day("2024-03-01"))]


def test_an_older_text_of_a_note_and_an_older_extraction_do_not_count(warehouse: Warehouse) -> None:
    import datetime as dt

    warehouse.note(1, 1, "2024-01-05")
    old = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    warehouse.mention(1, 1, "2024-01-05", "chemical", 1, note_sha256="b" * 64)
    warehouse.mention(1, 1, "2024-01-05", "chemical", 2, extracted_at=old)
    warehouse.mention(1, 1, "2024-01-05", "disease", 100)
    warehouse.build("app_patient_lists")
    assert warehouse.rows("select entity_key from app_patient_lists") == [("concept:100",)]


# --- drug-event pairs ----------------------------------------------------------------------------------------------------


def test_an_event_counts_from_the_day_after_the_drug_to_the_last_day_of_the_window(warehouse: Warehouse) -> None:
    for person, date in ((1, "2024-01-01"), (2, "2024-01-02"), (3, "2024-03-31"), (4, "2024-04-01")):
        drug(warehouse, person, 1, "2024-01-01", person)
        condition(warehouse, person, 102, date, person)
    warehouse.build("app_patient_lists", "app_drug_event_counts")
    # 2024-03-31 is day 90; the day of the drug itself and day 91 do not count
    assert warehouse.rows("select source, a, b, c, d from app_drug_event_counts") == [("structured", 2, 2, 0, 0)]


def test_a_condition_that_was_there_before_is_no_event(warehouse: Warehouse) -> None:
    drug(warehouse, 1, 1, "2024-01-01", 1)
    condition(warehouse, 1, 102, "2020-01-01", 1)
    condition(warehouse, 1, 102, "2024-01-10", 2)
    warehouse.build("app_patient_lists", "app_drug_event_counts")
    assert warehouse.rows("select count(*) from app_drug_event_counts") == [(0,)]


def test_pairs_of_notes_need_an_affirmed_relation_of_the_current_text(warehouse: Warehouse) -> None:
    for person in range(1, 7):
        warehouse.note(person, person, "2024-01-01")
        warehouse.mention(person, person, "2024-01-01", "chemical", 11 if person < 4 else 2)
    relation(warehouse, 1, 1, 11, 102)
    relation(warehouse, 2, 2, 1, 102)
    relation(warehouse, 3, 3, 1, 102, value=False)
    relation(warehouse, 4, 4, 2, 102)
    relation(warehouse, 5, 5, 2, 102, disease_assertion="negated")
    relation(warehouse, 6, 6, 2, 102, note_sha256="b" * 64)
    relation(warehouse, 6, 6, 2, 103, value=None, wording="causes")  # worded so, though no model decided
    warehouse.build("app_patient_lists", "app_drug_event_counts")
    assert sorted(warehouse.rows("select source, drug_name, event_name, a, b, c, d from app_drug_event_counts")) == [
        ("notes", "ibuprofen", "nausea", 1, 2, 2, 1),
        ("notes", "imatinib", "nausea", 2, 1, 1, 2),
        ("notes_wording", "ibuprofen", "chronic kidney disease", 1, 2, 0, 3),
    ]


def test_tables_agree_with_counting_person_by_person(warehouse: Warehouse) -> None:
    dice = random.Random(7)
    number = itertools.count()
    drugs: dict[int, dict[int, str]] = {}
    events: dict[int, dict[int, str]] = {}
    for person in range(60):
        drugs[person] = {d: f"2024-01-{dice.randint(1, 28):02d}" for d in (1, 2) if dice.random() < 0.6}
        events[person] = {e: f"2024-0{dice.randint(1, 6)}-10" for e in (100, 102, 103) if dice.random() < 0.5}
        for concept, date in drugs[person].items():
            drug(warehouse, person, concept, date, next(number))
        for concept, date in events[person].items():
            condition(warehouse, person, concept, date, next(number))

    def after(person: int, d: int, e: int) -> bool:
        if d not in drugs[person] or e not in events[person]:
            return False
        return 0 < (day(events[person][e]) - day(drugs[person][d])).days <= 90

    expected = {}
    people = [p for p in drugs if drugs[p]]
    for d, e in itertools.product((1, 2), (100, 102, 103)):
        a = sum(after(p, d, e) for p in people)
        with_drug = [p for p in people if d in drugs[p]]
        c = sum(any(after(p, other, e) for other in (1, 2)) for p in people if d not in drugs[p])
        if a:
            expected[f"concept:{d}", f"concept:{e}"] = (a, len(with_drug) - a, c, len(people) - len(with_drug) - c)
    warehouse.build("app_patient_lists", "app_drug_event_counts")
    found = {
        (d, e): tuple(n)
        for d, e, *n in warehouse.rows("select drug_key, event_key, a, b, c, d from app_drug_event_counts")
    }
    assert found == expected
    # the function for corpora counts the same
    pairs = [
        (str(p), f"concept:{d}", f"concept:{e}")
        for p in people
        for d in (1, 2)
        for e in (100, 102, 103)
        if after(p, d, e)
    ]
    exposures = [(str(p), f"concept:{d}") for p in people for d in drugs[p]]
    counted = count_pairs(pairs, exposures, source="corpus").to_pylist()
    assert {(r["drug_key"], r["event_key"]): (r["a"], r["b"], r["c"], r["d"]) for r in counted} == expected


def counts(*rows: tuple[int, int, int, int], minimum: int = 3) -> pa.Table:
    keys = {"source": "structured", "drug_key": "d", "drug_name": "d", "event_name": "e", "minimum_reports": minimum}
    return pa.Table.from_pylist(
        [{**keys, "event_key": f"e{i}", **dict(zip("abcd", row, strict=True))} for i, row in enumerate(rows)]
    )


def test_few_reports_are_never_flagged_and_undefined_is_null() -> None:
    found = pairs_table(counts((2, 0, 1, 9_000), (20, 80, 20, 9_000), (5, 0, 0, 10), (30, 50, 0, 1_400))).to_pylist()
    assert [row["is_flagged"] for row in found] == [
        False,
        True,
        False,
        True,
    ]  # the last event was never seen without the drug
    assert found[0]["q_value"] is None
    assert found[0]["ic"] is not None
    assert found[2]["ror"] is None
    assert found[2]["prr_low"] is None


def test_a_row_with_a_small_cell_is_withheld_whole(warehouse: Warehouse) -> None:
    warehouse.put(
        "app_drug_event_pairs",
        pairs_table(counts((20, 80, 20, 9_000), (20, 80, 2, 9_000), (2, 80, 20, 9_000), (0, 80, 20, 9_000))),
    )
    warehouse.build("app_published_drug_events")
    rows = warehouse.rows("select is_withheld, n_a, ror, is_flagged from app_published_drug_events order by event_key")
    assert [row[0] for row in rows] == [False, True, True, False]
    assert all(value is None for row in rows[1:3] for value in row[1:])


# --- patterns ------------------------------------------------------------------------------------------------------------


def patients(warehouse: Warehouse, n: int, *, with_drug: int) -> None:
    for person in range(n):
        condition(warehouse, person, 100, "2023-01-01", person)
        if person < with_drug:
            drug(warehouse, person, 11, "2023-02-01", person)


def test_costs_are_joined_where_they_landed_and_else_said_to_be_absent(warehouse: Warehouse) -> None:
    patients(warehouse, 10, with_drug=5)
    columns = "n_with_condition, n_persons, percent, total_cost, cost_reason"
    warehouse.build("app_patient_lists", "app_treatment_patterns")
    assert warehouse.rows(f"select {columns} from app_treatment_patterns") == [
        (10, 5, 50.0, None, "no costs landed: landing/omop/cost or landing/drug_costs.csv")
    ]
    warehouse.add("landing_drug_costs", {"drug_concept_id": 1, "unit_cost": 7.5})
    warehouse.build("app_treatment_patterns")
    assert warehouse.rows(f"select {columns} from app_treatment_patterns") == [(10, 5, 50.0, 37.5, None)]
    for number in range(5):  # recorded costs go before a price list
        warehouse.add("landing_cost", {"cost_event_id": number, "cost_domain_id": "Drug", "total_paid": 2.0})
    warehouse.build("app_patient_lists", "app_treatment_patterns")
    assert warehouse.rows(f"select {columns} from app_treatment_patterns") == [(10, 5, 50.0, 10.0, None)]


@pytest.mark.parametrize(("with_drug", "shown"), [(2, False), (3, True), (7, True), (8, False), (10, True)])
def test_few_with_and_few_without_a_drug_are_withheld(warehouse: Warehouse, with_drug: int, shown: bool) -> None:
    patients(warehouse, 10, with_drug=with_drug)
    warehouse.build("app_patient_lists", "app_treatment_patterns")
    assert warehouse.rows("select n_persons from app_treatment_patterns") == [(with_drug if shown else None,)]


def test_lines_follow_the_start_of_drugs_from_the_diagnosis_on() -> None:
    warehouse = Warehouse(treatments=[["cml", "condition", 101], ["cml", "drug", 1], ["cml", "drug", 2]])
    vocabulary(warehouse)
    for person in (1, 2, 3):
        condition(warehouse, person, 100, "2023-01-01", person)  # a descendant of what the study names
    drug(warehouse, 1, 11, "2023-02-01", 1)
    drug(warehouse, 1, 2, "2023-05-01", 2)
    drug(warehouse, 2, 2, "2023-02-01", 3)
    drug(warehouse, 2, 1, "2023-02-01", 4)
    drug(warehouse, 3, 2, "2022-12-31", 5)  # before the diagnosis
    warehouse.build("app_patient_lists", "app_treatment_lines")
    assert sorted(warehouse.rows("select person_id, sequence, n_lines from app_treatment_lines")) == [
        (1, "imatinib > ibuprofen", 2),
        (2, "ibuprofen + imatinib", 1),
        (3, "none", 0),
    ]


def test_a_single_small_sequence_takes_another_with_it() -> None:
    sequences = ["a"] * 20 + ["b"] * 15 + ["c"] * 2
    lines = pa.table({"treatment": ["t"] * 37, "person_id": list(range(37)), "sequence": sequences})
    found = {row["sequence"]: row["n_persons"] for row in sequences_table(lines, 11).to_pylist()}
    assert found == {"all": 37, "a": 20, "b": None, "c": None}


def prevalence(*levels: tuple[str, str, int, int], k: int = 11) -> pa.Table:
    keys = {"condition_concept_id": 100, "condition_name": "x", "year": 2024, "small_below": k}
    rows = [{**keys, "stratum": s, "level": lv, "n_persons": n, "n_with_condition": m} for s, lv, n, m in levels]
    return prevalence_table(pa.Table.from_pylist(rows))


def test_prevalence_has_limits_and_hides_what_gives_small_counts_away() -> None:
    levels = [
        ("all", "all", 200, 60),
        ("sex", "male", 100, 55),
        ("sex", "female", 100, 5),
        ("age", "18 to 29", 120, 30),
        ("age", "30 to 39", 80, 30),
    ]
    found = {(r["stratum"], r["level"]): r for r in prevalence(*levels).to_pylist()}
    assert found["all", "all"]["percent"] == 30.0
    assert (found["all", "all"]["percent_low"], found["all", "all"]["percent_high"]) == (24.1, 36.7)  # Wilson
    assert found["sex", "female"]["n_with_condition"] is None
    assert found["sex", "male"]["n_with_condition"] is None  # else all less male would be female


def test_no_shown_prevalence_proves_a_small_count() -> None:
    dice = random.Random(3)
    for _ in range(6):
        people = {(s, a): dice.randint(5, 60) for s in "fm" for a in "xyz"}
        ill = {
            cell: dice.randint(0, n) if dice.random() < 0.5 else min(n, dice.randint(0, 4))
            for cell, n in people.items()
        }
        levels = [("all", "all", sum(people.values()), sum(ill.values()))]
        for stratum, at, names in (("sex", 0, "fm"), ("age", 1, "xyz")):
            levels += [
                (
                    stratum,
                    name,
                    sum(n for c, n in people.items() if c[at] == name),
                    sum(n for c, n in ill.items() if c[at] == name),
                )
                for name in names
            ]
        table = prevalence(*levels).to_pylist()
        true: dict[str, int] = {}
        sums, withheld = [], set()
        for (stratum, level, n, m), row in zip(
            sorted(levels, key=lambda v: (v[0] != "all", v[0], v[1])), table, strict=True
        ):
            end = f"{stratum}|{level}"
            true |= {f"p|{end}": n, f"w|{end}": m, f"o|{end}": n - m}
            sums.append(Sum(f"p|{end}", (f"w|{end}", f"o|{end}")))
            withheld |= {f"p|{end}"} if row["n_persons"] is None else set()
            withheld |= {f"w|{end}", f"o|{end}"} if row["n_with_condition"] is None else set()
            withheld |= {f"o|{end}"} if row["n_persons"] is None else set()
        for kind in "pwo":
            sums += [
                Sum(f"{kind}|all|all", tuple(f"{kind}|{name}" for name in names))
                for names in (("sex|f", "sex|m"), ("age|x", "age|y", "age|z"))
            ]
        assert exposed(true, sums, withheld, k=11) == []


# --- labels of drugs -----------------------------------------------------------------------------------------------------


def label(warehouse: Warehouse, drug_: object, condition_: object, kind: str, source: str | None = "made up") -> None:
    row = {"kind": kind, "source": source}
    row["drug_concept_id" if isinstance(drug_, int) else "drug_name"] = drug_
    row["condition_concept_id" if isinstance(condition_, int) else "condition_name"] = condition_
    warehouse.add("landing_labels_of_drugs", row)


def test_label_rows_that_cannot_be_used_say_why(warehouse: Warehouse) -> None:
    label(warehouse, "Imatinib", "Leukaemia", "Indication")
    label(warehouse, 11, 103, "contraindication")
    label(warehouse, "snake oil", 103, "contraindication")
    label(warehouse, 1, "the blues", "indication")
    label(warehouse, 1, 103, "maybe")
    label(warehouse, 2, 103, "contraindication", None)
    warehouse.build("app_drug_labels")
    found = warehouse.rows(
        "select landed_drug, drug_concept_id, condition_concept_id, kind, status from app_drug_labels"
    )
    assert sorted(row[-1] for row in found) == [
        "no_source",
        "unknown_condition",
        "unknown_drug",
        "unknown_kind",
        "used",
        "used",
    ]
    assert {row[1] for row in found if row[-1] == "used"} == {1}  # the tablet's row is of its ingredient


def test_findings_carry_both_pieces_of_evidence(warehouse: Warehouse) -> None:
    label(warehouse, 2, 103, "contraindication")
    label(warehouse, 1, 101, "indication")
    drug(warehouse, 1, 2, "2024-01-01", 1)
    warehouse.note(7, 1, "2024-02-01")
    warehouse.mention(7, 1, "2024-02-01", "disease", 103)
    drug(warehouse, 2, 2, "2024-01-01", 2)
    warehouse.note(8, 2, "2024-02-01")
    warehouse.mention(8, 2, "2024-02-01", "disease", 103, assertion="negated")  # has it not
    drug(warehouse, 3, 11, "2024-01-01", 3)
    condition(warehouse, 3, 100, "2023-01-01", 3)  # a kind of what the label names
    drug(warehouse, 4, 11, "2024-01-01", 4)
    warehouse.build("app_patient_lists", "app_drug_labels", "app_drug_label_findings")
    found = warehouse.rows(
        "select person_id, finding, drug_found_in, drug_last_record, condition_found_in, condition_note_id, condition_note_start "
        "from app_drug_label_findings order by person_id"
    )
    assert found == [
        (1, "contraindicated", "structured_only", day("2024-01-01"), "text_only", 7, 5),
        (4, "no_indication_on_record", "structured_only", day("2024-01-01"), None, None, None),
    ]


def test_without_a_label_table_nothing_is_found(warehouse: Warehouse) -> None:
    drug(warehouse, 1, 2, "2024-01-01", 1)
    condition(warehouse, 1, 103, "2023-01-01", 1)
    warehouse.build("app_patient_lists", "app_drug_labels", "app_drug_label_findings")
    assert warehouse.rows("select count(*) from app_drug_label_findings") == [(0,)]
