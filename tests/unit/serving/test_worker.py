"""Calls that wait together are read together, and stay apart in everything else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from clinical_assets.serving.worker import WaitedTooLong, Worker


class Upper:
    """Reads by writing large; holds its first call until it is let go. Fails on poison."""

    def __init__(self) -> None:
        self.groups: list[tuple[str, int]] = []
        self.go = threading.Event()

    def __call__(self, tasks: Sequence[str], calls: Sequence[Sequence[str]]) -> list[list[str]]:
        self.groups.append((tasks[0], len(calls)))
        assert self.go.wait(30)
        if any("poison" in text for call in calls for text in call):
            raise ValueError("poison")
        return [[text.upper() for text in call] for call in calls]


async def all_of(upper: Upper, calls: list[tuple[str, list[str]]], wait_seconds: float = 60) -> list:
    """Ask for the first call, let the others wait behind it, then go on."""
    worker = Worker(upper, wait_seconds)
    asked = [asyncio.ensure_future(worker.run([task], texts)) for task, texts in calls[:1]]
    while not upper.groups:
        await asyncio.sleep(0.001)
    asked += [asyncio.ensure_future(worker.run([task], texts)) for task, texts in calls[1:]]
    await asyncio.sleep(0.05)
    upper.go.set()
    found = await asyncio.gather(*asked, return_exceptions=True)
    await asyncio.to_thread(worker.close)
    return found


def test_calls_that_wait_are_read_together_by_task() -> None:
    upper = Upper()
    calls = [("labels", ["a"]), ("labels", ["b", "c"]), ("entities", ["d"]), ("labels", ["e"]), ("entities", ["f"])]
    assert asyncio.run(all_of(upper, calls)) == [["A"], ["B", "C"], ["D"], ["E"], ["F"]]
    assert upper.groups == [("labels", 1), ("labels", 2), ("entities", 2)]


def test_no_more_are_read_together_than_fit() -> None:
    upper = Upper()
    calls = [
        ("labels", ["a"]),
        ("labels", ["b"] * 40),
        ("labels", ["c"] * 40),
        ("labels", ["d"] * 20),
        ("labels", ["e" * 400_000]),
    ]
    found = asyncio.run(all_of(upper, calls))
    assert [len(each) for each in found] == [1, 40, 40, 20, 1]
    assert upper.groups == [("labels", 1), ("labels", 2), ("labels", 1), ("labels", 1)]


def test_a_call_that_fails_does_not_spoil_those_it_is_read_with() -> None:
    found = asyncio.run(
        all_of(Upper(), [("labels", ["a"]), ("labels", ["b"]), ("labels", ["poison"]), ("labels", ["c"])])
    )
    assert [found[0], found[1], found[3]] == [["A"], ["B"], ["C"]]
    with pytest.raises(ValueError, match="poison"):
        raise found[2]


def test_a_call_that_waits_too_long_is_given_up() -> None:
    found = asyncio.run(all_of(Upper(), [("labels", ["a"]), ("labels", ["b"])], wait_seconds=0.01))
    assert found[0] == ["A"]
    assert isinstance(found[1], WaitedTooLong)


def test_a_call_that_is_taken_back_is_not_read() -> None:
    async def go() -> None:
        upper = Upper()
        worker = Worker(upper, 60)
        first = asyncio.ensure_future(worker.run(["labels"], ["a"]))
        while not upper.groups:
            await asyncio.sleep(0.001)
        second = asyncio.ensure_future(worker.run(["labels"], ["b"]))
        third = asyncio.ensure_future(worker.run(["labels"], ["c"]))
        await asyncio.sleep(0.01)
        second.cancel()
        await asyncio.sleep(0.01)
        upper.go.set()
        assert [await first, await third] == [["A"], ["C"]]
        await asyncio.to_thread(worker.close)
        assert upper.groups == [("labels", 1), ("labels", 1)]

    asyncio.run(go())
