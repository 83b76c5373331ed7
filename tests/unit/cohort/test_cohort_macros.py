"""The semantics of cohort definitions, held against plain Python on random histories."""

from __future__ import annotations

import datetime as dt

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.macros import macro

DAY0 = dt.date(2000, 1, 1)
days = st.integers(0, 60)
events = st.lists(st.tuples(st.integers(1, 2), days, st.integers(0, 10)), max_size=12)
periods = st.lists(st.tuples(st.integers(1, 2), days, st.integers(0, 40)), max_size=4)


@pytest.fixture(scope="module")
def connection():
    with duckdb.connect() as connection:
        yield connection


def date(day: int) -> dt.date:
    return DAY0 + dt.timedelta(days=day)


def load(connection, name, columns, rows):
    connection.execute(f"create or replace temp table {name} ({columns})")
    if rows:
        connection.executemany(f"insert into {name} values ({', '.join('?' * len(rows[0]))})", rows)


def load_events(connection, name, found):
    rows = [(person, i, date(start), date(start + length)) for i, (person, start, length) in enumerate(found)]
    load(connection, name, "person_id int, event_id int, start_date date, end_date date", rows)
    return rows


def load_periods(connection, found):
    rows = [(person, date(start), date(start + length)) for person, start, length in found]
    load(connection, "periods", "person_id int, op_start date, op_end date", rows)
    return rows


@settings(max_examples=150, deadline=None)
@given(events, periods, st.integers(0, 20), st.integers(0, 20))
def test_primary_events_are_inside_a_period_with_room_on_both_sides(connection, found, spans, prior, post) -> None:
    rows, spans = load_events(connection, "found", found), load_periods(connection, spans)
    sql = macro("primary_events", "found", "periods", prior_days=prior, post_days=post, limit="all")
    got = connection.execute(f"select person_id, event_id, op_start, op_end from {sql} order by all").fetchall()
    meant = sorted(
        (p, e, a, b)
        for p, e, start, _ in rows
        for q, a, b in spans
        if p == q and a <= start <= b and (start - a).days >= prior and (b - start).days >= post
    )
    assert got == meant
    first = macro("primary_events", "found", "periods", prior_days=prior, post_days=post)
    got = connection.execute(f"select person_id, start_date, event_id from {first} order by all").fetchall()
    qualifying = {(p, start, e) for p, e, start, _ in rows if any((p, e) == m[:2] for m in meant)}
    assert got == sorted(min(q for q in qualifying if q[0] == person) for person in {q[0] for q in qualifying})


@settings(max_examples=150, deadline=None)
@given(events, events, st.one_of(st.none(), st.integers(-30, 10)), st.one_of(st.none(), st.integers(-10, 30)))
def test_windows_count_both_ends_and_stay_inside_the_period(connection, anchors, found, from_days, to_days) -> None:
    anchored = load_events(connection, "anchors", anchors)
    connection.execute(
        "create or replace temp view index_events as select *, date '2000-01-05' as op_start, date '2000-02-20' as op_end from anchors"
    )
    rows = load_events(connection, "found", found)
    sql = macro("count_in_window", "index_events", "found", from_days=from_days, to_days=to_days)
    got = dict(connection.execute(f"select event_id, n from {sql}").fetchall())
    low, high = dt.date(2000, 1, 5), dt.date(2000, 2, 20)
    for person, event_id, start, _ in anchored:
        meant = sum(
            p == person
            and low <= s <= high
            and (from_days is None or (s - start).days >= from_days)
            and (to_days is None or (s - start).days <= to_days)
            for p, _, s, _ in rows
        )
        assert got[event_id] == meant


@settings(max_examples=200, deadline=None)
@given(events, st.integers(0, 12))
def test_eras_join_spans_over_short_gaps_only(connection, found, gap) -> None:
    rows = load_events(connection, "spans", found)
    got = connection.execute(
        f"select person_id, start_date, end_date, n_spans from {macro('eras', 'spans', ['person_id'], gap)} order by all"
    ).fetchall()
    meant: list[list] = []
    for person, _, start, end in sorted(rows, key=lambda row: (row[0], row[2], row[3])):
        if meant and meant[-1][0] == person and (start - meant[-1][2]).days <= gap:
            meant[-1][2] = max(meant[-1][2], end)
            meant[-1][3] += 1
        else:
            meant.append([person, start, end, 1])
    assert got == sorted(map(tuple, meant))
    assert sum(row[3] for row in got) == len(rows)


def test_exposure_end_falls_back_to_supply_and_never_precedes_the_start(connection) -> None:
    ends = macro("exposure_end", "s", "e", "d")
    rows = connection.execute(
        f"""select {ends} from (values (date '2020-01-10', date '2020-01-20', 5), (date '2020-01-10', null, 30),
            (date '2020-01-10', null, 0), (date '2020-01-10', null, null), (date '2020-01-10', date '2020-01-01', null)) as t(s, e, d)"""
    ).fetchall()
    assert [r[0] for r in rows] == [
        dt.date(2020, 1, 20), dt.date(2020, 2, 9), dt.date(2020, 1, 11), dt.date(2020, 1, 11), dt.date(2020, 1, 10)
    ]  # fmt: skip
