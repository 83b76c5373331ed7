"""Windows of a risk question: the published truth table, properties, and that SQL says the same."""

from __future__ import annotations

import datetime as dt

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_assets.risk.windows import NobodyIndexed, assign_roles, attrition, require_somebody
from clinical_assets.study.load import DEFAULT_STUDY, StudyError, parse_study
from clinical_assets.study.risk import RiskWindows
from tests.macros import macro

NAN = float("nan")
LONG = {"first": -3000, "last": 3000, "outcome": NAN, "age": 40, "exclusion": None}


def role(windows: RiskWindows | None = None, **person: object) -> tuple[str, str]:
    p = {**LONG, **person}
    found = assign_roles(
        [p["first"]], [p["last"]], [p["outcome"]], [p["age"]], [p["exclusion"]], windows or RiskWindows()
    )
    return str(found.role[0]), str(found.reason[0])


@pytest.mark.parametrize(
    ("person", "expected"),
    [
        ({"last": 1826}, ("control", "seen_after_follow_up")),
        ({"last": 1825}, ("removed", "follow_up")),
        ({"outcome": 180}, ("removed", "buffer")),
        ({"outcome": 0}, ("removed", "buffer")),
        ({"outcome": -400}, ("removed", "buffer")),
        ({"outcome": 181}, ("case", "outcome_in_follow_up")),
        ({"outcome": 1825}, ("case", "outcome_in_follow_up")),
        ({"outcome": 1825, "last": 1825}, ("case", "outcome_in_follow_up")),
        ({"outcome": 1826, "last": 1826}, ("control", "outcome_after_follow_up")),
        ({"first": -730}, ("control", "seen_after_follow_up")),
        ({"first": -729}, ("removed", "look_back")),
        ({"age": 15}, ("removed", "age")),
        ({"age": 16}, ("control", "seen_after_follow_up")),
        ({"age": 85}, ("control", "seen_after_follow_up")),
        ({"age": 86}, ("removed", "age")),
        ({"age": NAN}, ("removed", "age")),
        ({"exclusion": "cancer", "outcome": 500}, ("removed", "exclusion:cancer")),
        ({"first": -1, "outcome": 10, "age": 3, "exclusion": "cancer"}, ("removed", "look_back")),
    ],
)
def test_truth_table_with_its_boundaries(person, expected) -> None:
    assert role(**person) == expected


days = st.integers(-4000, 4000)
person = st.tuples(
    st.integers(-4000, 0), st.integers(0, 4000), st.one_of(st.none(), days), st.one_of(st.none(), st.integers(0, 110)),
    st.sampled_from([None, None, None, "cancer", "other"]),
)  # fmt: skip
some_windows = st.builds(
    lambda lis, bp, more, low, high: RiskWindows(look_back_days=lis, buffer_days=bp, follow_up_days=bp + more, age_above=low, age_up_to=low + high),
    st.integers(0, 3000), st.integers(0, 1000), st.integers(1, 2500), st.integers(0, 40), st.integers(1, 60),
)  # fmt: skip


def assigned(persons, windows):
    first, last, outcome, age, exclusion = (list(column) for column in zip(*persons, strict=True))
    number = [[NAN if v is None else float(v) for v in column] for column in (first, last, outcome, age)]
    return assign_roles(*number, exclusion, windows)


@given(st.lists(person, min_size=1, max_size=30), some_windows, st.integers(1, 500))
def test_everybody_has_one_role_and_a_longer_look_back_adds_nobody(persons, windows, more) -> None:
    found = assigned(persons, windows)
    rows = attrition(found)
    kept = int(np.sum(found.role != "removed"))
    assert set(found.role) <= {"case", "control", "removed"}
    assert rows[0]["n_after"] == len(persons)
    assert rows[-1]["n_after"] == kept
    assert all(r["n_before"] - r["n_dropped"] == r["n_after"] for r in rows)
    stricter = assigned(persons, windows.model_copy(update={"look_back_days": windows.look_back_days + more}))
    assert not np.any((stricter.role != "removed") & (found.role == "removed"))
    same = stricter.role != "removed"
    assert (stricter.role[same] == found.role[same]).all()


@settings(max_examples=40, deadline=None)
@given(st.lists(person, min_size=1, max_size=60), some_windows)
def test_sql_says_the_same(persons, windows) -> None:
    day0 = dt.date(2015, 5, 5)

    def date(day):
        return None if day is None else day0 + dt.timedelta(days=day)

    table = pa.table(
        {
            "person_id": pa.array(range(len(persons)), pa.int64()),
            "index_date": pa.array([day0] * len(persons), pa.date32()),
            "first_event_date": pa.array([date(p[0]) for p in persons], pa.date32()),
            "last_event_date": pa.array([date(p[1]) for p in persons], pa.date32()),
            "outcome_date": pa.array([date(p[2]) for p in persons], pa.date32()),
            "age_at_index": pa.array([p[3] for p in persons], pa.int64()),
            "exclusion": pa.array([p[4] for p in persons], pa.string()),
        }
    )
    w = windows
    sql = macro("risk_roles", "given", w.look_back_days, w.buffer_days, w.follow_up_days, w.age_above, w.age_up_to)
    with duckdb.connect() as connection:
        connection.register("given", table)
        rows = connection.sql(f"select role, reason from {sql} order by person_id").fetchall()
    found = assigned(persons, windows)
    assert rows == list(zip(found.role.tolist(), found.reason.tolist(), strict=True))


@pytest.mark.parametrize(
    ("risk", "says"),
    [
        ("windows: {buffer_days: 2000, follow_up_days: 1825}", "buffer_days 2000 is not below follow_up_days 1825"),
        ("windows: {look_back_days: -1}", "risk.windows.look_back_days"),
        ("windows: {age_above: 50, age_up_to: 50}", "age_above 50 is not below age_up_to 50"),
        ("windows: {exclusions: never}", "pre_index_only"),
        ("models: {promoted_learner: svm}", "only a model that was evaluated may give scores"),
    ],
)
def test_windows_that_cannot_be_meant_are_refused_by_name(risk: str, says: str) -> None:
    text = DEFAULT_STUDY.read_text(encoding="utf-8")
    start = text.index("\nrisk:") + 1
    text = (
        text[:start]
        + f"risk:\n  name: q\n  index: {{concepts: [1]}}\n  outcome: {{concepts: [2]}}\n  {risk}\n"
        + text[text.index("\nfields:") :]
    )
    with pytest.raises(StudyError, match="cannot be used") as error:
        parse_study(text)
    assert says in str(error.value)


def test_an_index_that_nobody_has_is_an_error_that_names_the_concepts() -> None:
    require_somebody(1, "lupus", [1])
    with pytest.raises(NobodyIndexed, match=r"lupus.*\(17, 18, or a descendant\).*risk\.index"):
        require_somebody(0, "lupus", [17, 18])
