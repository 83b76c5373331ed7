"""A batch is unusual only against enough batches before it."""

from __future__ import annotations

from clinical_assets.notes.volume import usual_volume

BEFORE = {f"2024-0{i}": 100 for i in range(1, 7)}


def test_few_batches_tell_nothing() -> None:
    assert usual_volume({"a": 1, "b": 10_000}, "b").usual


def test_four_times_more_or_less_than_the_median_is_unusual() -> None:
    assert usual_volume(BEFORE | {"2024-07": 400}, "2024-07").usual
    assert not usual_volume(BEFORE | {"2024-07": 401}, "2024-07").usual
    assert not usual_volume(BEFORE | {"2024-07": 24}, "2024-07").usual


def test_later_batches_do_not_count() -> None:
    volume = usual_volume({"a": 5, **{f"z{i}": 10_000 for i in range(9)}}, "a")
    assert (volume.n_before, volume.usual) == (0, True)
