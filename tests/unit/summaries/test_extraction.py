"""Facts of a text: hand-written sentences, and what holds for any text."""

from __future__ import annotations

import itertools
import time
from decimal import Decimal

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_assets.labels.assertion import SectionIndex
from clinical_assets.study.patterns import check_pattern
from clinical_assets.summaries.numbers import PATTERNS, find_dates, normal_number, normal_unit
from clinical_assets.summaries.vocabulary import concept_names, vocabulary_of
from clinical_assets.summaries.words import UNITS, read_list

SENTENCES = [
    ("Treated w/ STI-571 400 mg daily since 2014.", {"drug imatinib", "dose imatinib 400 mg", "date 2014"}),
    ("Keep imatinib at 400 mg PO daily.", {"drug imatinib", "dose imatinib 400 mg"}),
    ("Take 20 mg of omeprazole.", {"drug omeprazole", "dose omeprazole 20 mg"}),
    ("nebivolol 5mg qd", {"drug nebivolol", "dose nebivolol 5 mg"}),  # by its ending: no list has it
    ("Imatinib 400 mg and omeprazole 20 mg.", {"drug imatinib", "drug omeprazole", "dose imatinib 400 mg", "dose omeprazole 20 mg"}),
    ("Started imatinib. Weight gain of 5 g noted.", {"drug imatinib", "number 5 g"}),  # another sentence
    ("BP 147/68, HR 75, T 36.7, wt 64 kg", {"vital bp=147/68", "vital hr=75", "vital temp=36.7 c", "vital weight=64 kg"}),
    ("Vitals: 133/72 | 97 | 36.8 C | SpO2 98%.", {"vital bp=133/72", "number 97", "vital temp=36.8 c", "vital spo2=98"}),
    ("Hb 12.60, platelets 1,200, creatinine was 0.7 mg/dL", {"lab hemoglobin=12.6", "lab platelets=1200", "lab creatinine=0.7 mg/dl"}),
    ("CBC: 7.9/11.9/323.", {"lab cbc=7.9/11.9/323"}),
    ("BCR::ABL1 0.050% IS on 3/17/24", {"lab bcr-abl1=0.05 %", "date 2024-03-17"}),
    ("PCR <0.01%", {"lab bcr-abl1=<0.01 %"}),
    ("seen 12 March 2020, Jun 2019, 13/06/2020, 2020-03 and May 5", {"date 2020-03-12", "date 2019-06", "date 2020-06-13", "date 2020-03", "date --05-05"}),
    ("t(9;22) and 1999 mg", {"number 9", "number 22", "number 1999 mg"}),
    ("62-year-old with CML", {"number 62 year", "disease cml_diagnosed"}),
    ("1. Stay the course.\n2. Return in 6 months.", {"number 6 month"}),
    ("Vitamin B12 and COVID-19", set()),
    ("No gallstone; pegfilgrastim after lumbar puncture", {"disease gallstone NOT", "drug pegfilgrastim", "procedure lumbar puncture"}),
    ("Denies fever, cough or chest pain.", {"disease fever NOT", "disease cough NOT", "disease chest pain NOT"}),
    ("", set()),
]  # fmt: skip


def said(facts) -> set[str]:
    return {f"{f.kind} {f.key}{' NOT' if f.negated else ''}" for f in facts}


@pytest.mark.parametrize(("text", "expected"), SENTENCES)
def test_what_a_sentence_says(extractor, text, expected) -> None:
    assert said(extractor.extract(text)) == expected


def test_a_dose_covers_drug_amount_and_how_often(extractor) -> None:
    text = "Now on albuterol 2 puffs q4h prn wheeze."
    dose = next(f for f in extractor.extract(text) if f.kind == "dose")
    assert text[dose.start : dose.end] == "albuterol 2 puffs q4h prn"


def test_brand_and_generic_are_the_same_drug(extractor) -> None:
    keys = {
        f.key for f in extractor.extract("Gleevec, Glivec, STI571, imatinib mesylate, imatinib") if f.kind == "drug"
    }
    assert keys == {"imatinib"}


PIECES = st.sampled_from(
    ["imatinib", "400", "mg", "daily", "Hb", "12.6", "3/17/24", "no", "rash", ",", ".", "\n", "2020-01-02", "BP", "120/80", "%", "May", "5", "(", "IS", "é", "İ", "µg", "-", "1,200", "CML"]
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(
        st.text(max_size=80), st.lists(PIECES, max_size=25).map(" ".join), st.lists(PIECES, max_size=25).map("".join)
    )
)
def test_offsets_lie_in_the_text_and_facts_are_the_same_again(extractor, text) -> None:
    facts = extractor._find(text, SectionIndex())
    assert facts == extractor.extract(text)
    for fact in facts:
        assert 0 <= fact.start < fact.end <= len(text)
        assert text[fact.start : fact.end].strip()
        assert fact.key
    entities = sorted((f.start, f.end) for f in facts if not f.is_numeric)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(entities))
    dates = sorted((f.start, f.end) for f in facts if f.kind == "date")
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(dates))


@settings(deadline=None)
@given(st.decimals(min_value=0, max_value=10**9, places=4, allow_nan=False))
def test_normal_numbers_are_normal_and_equal(number) -> None:
    normal = normal_number(f"{number:,}")
    assert normal_number(normal) == normal
    assert Decimal(normal) == number


@pytest.mark.parametrize("unit", sorted(set(read_list(UNITS).values())))
def test_normal_units_are_normal(unit) -> None:
    assert normal_unit(unit) == unit


def test_impossible_dates_are_numbers() -> None:
    assert find_dates("2020-02-30 31/31/2020 13/2020 Foo 2020") == [(34, 38, "2020")]


@pytest.mark.parametrize("name", sorted(PATTERNS))
def test_patterns_cannot_take_exponential_time(name) -> None:
    check_pattern(PATTERNS[name])


@pytest.mark.parametrize(
    "bad", ["1", "1,", "1/", "1 - ", "jan ", "2020-", "mg 5 ", "<", "imatinib ", "hb ", ".", "no "]
)
def test_time_is_linear_in_hostile_text(extractor, bad) -> None:
    def seconds(size: int) -> float:
        text = bad * (size // len(bad))
        started = time.process_time()
        extractor._find(text, SectionIndex())
        return time.process_time() - started

    assert seconds(80_000) < 10 * seconds(20_000) + 0.5  # four times the text; quadratic would be sixteen


def test_names_come_from_the_users_vocabulary_where_it_is_there(study) -> None:
    with duckdb.connect() as connection:
        assert concept_names(connection) == []
        connection.execute("create schema omop")
        connection.execute("create table omop.concept (concept_name varchar, domain_id varchar)")
        connection.execute(
            "insert into omop.concept values ('Gallstone', 'Condition'), ('Ibuprofen 200 MG', 'Drug'), ('Hb', 'Measurement')"
        )
        names = concept_names(connection)
    assert names == [("disease", "gallstone")]
    assert vocabulary_of(study, names).sha != vocabulary_of(study).sha == vocabulary_of(study).sha


def test_names_with_signs_of_the_term_language_are_taken_as_they_are(study) -> None:
    from clinical_assets.summaries.extraction import FactExtractor

    odd = FactExtractor(
        vocabulary_of(study, [("disease", "knee pain [left|right]? + 50% * {x} ^$"), ("disease", "a\\b c")])
    )
    assert odd.extract("plain") == []
