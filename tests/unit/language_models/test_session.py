"""Logits of a batch with cache, padding and cropping are those of each row read whole and alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from clinical_assets.language_models.session import Prefix, Session, pad_left, pad_right
from tests.unit.language_models import tiny_models as tiny

CLOSE = 1e-5


@pytest.fixture(scope="module", params=[*tiny.FAMILIES, "mixed_qwen2"])
def model(request: Any) -> Any:
    if request.param == "mixed_qwen2":  # windows in the upper layers only
        return tiny.model(
            "qwen2", use_sliding_window=True, sliding_window=16, max_window_layers=1, initializer_range=0.1
        )
    return tiny.model(request.param, initializer_range=0.1)


@pytest.fixture(autouse=True)
def no_gradients() -> Any:
    with torch.inference_mode():
        yield


def rows(*lengths: int, seed: int = 0) -> list[list[int]]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(0, 448, (n,), generator=generator).tolist() for n in lengths]


def distance(logits: torch.Tensor, model: Any, whole: list[int], at: int) -> float:
    assert torch.isfinite(logits).all()
    return float((logits - tiny.plain_logits(model, whole)[at]).abs().max())


def test_rows_of_different_lengths_behind_a_shared_prefix(model: Any) -> None:
    (prefix,), notes, answers = rows(30), rows(40, 7, 23, 1, seed=1), rows(12, 10, 12, 3, seed=2)
    session = Session(model, 4, Prefix(model, prefix))
    left, right = pad_left(notes), pad_right(answers)
    logits = session.feed(
        torch.cat([left[0], right[0]], 1), torch.cat([left[1], right[1]], 1), columns=[39, 40, 42, 49, 51]
    )
    assert logits.shape == (4, 5, 448)
    assert logits.dtype == torch.float32
    for i, (note, answer) in enumerate(zip(notes, answers, strict=True)):
        whole = prefix + note + answer
        for j, after in enumerate([0, 1, 3, 10, 12]):
            if after <= len(answer):
                assert distance(logits[i, j], model, whole, 30 + len(note) - 1 + after) < CLOSE
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_block_after_block_with_padding_anywhere(model: Any, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    (prefix,) = rows(20, seed=seed)
    with_prefix = seed != 1
    session = Session(model, 3, Prefix(model, prefix) if with_prefix else None)
    so_far = [list(prefix) if with_prefix else [] for _ in range(3)]
    for width in (9, 1, 14, 5):
        tokens = torch.randint(0, 448, (3, width), generator=generator)
        valid = torch.rand((3, width), generator=generator) < 0.6
        valid[seed] = width == 9  # from the second block on, one row is all padding
        logits = session.feed(tokens, valid, columns=range(width))
        assert torch.isfinite(logits).all()
        for i in range(3):
            for j in range(width):
                if valid[i, j]:
                    so_far[i].append(int(tokens[i, j]))
                    assert distance(logits[i, j], model, so_far[i], -1) < CLOSE


def test_blocks_taken_back_and_rows_let_go_leave_no_trace(model: Any) -> None:
    (prefix,), notes, answers = rows(18), rows(21, 5, 13, seed=3), rows(6, 8, 4, 7, seed=4)
    session = Session(model, 3, Prefix(model, prefix))
    tokens, valid = pad_left(notes)
    session.feed(tokens, valid, columns=[0])
    for keep, drafts in (([0, 1, 2], answers[:3]), ([2, 0], answers[2:]), ([1, 1], answers[:2]), ([0], answers[3:])):
        if keep != [0, 1, 2]:
            session.keep_rows(torch.tensor(keep))
            notes = [notes[i] for i in keep]
        block, there = pad_right(drafts)
        logits = session.feed(block, there, columns=range(block.shape[1]))
        for i, draft in enumerate(drafts):
            for j in range(len(draft)):
                assert distance(logits[i, j], model, prefix + notes[i] + draft, 18 + len(notes[i]) + j) < CLOSE
        session.take_back(block.shape[1])


def test_taking_nothing_back_changes_nothing(model: Any) -> None:
    (whole,) = rows(25)
    session = Session(model, 1)
    session.feed(torch.tensor([whole[:20]]), columns=[19])
    session.take_back(0)
    logits = session.feed(torch.tensor([whole[20:]]), columns=[4])
    assert distance(logits[0, 0], model, whole, 24) < CLOSE


def test_what_stands_in_the_padding_and_in_other_rows_is_never_seen(model: Any) -> None:
    notes, others = rows(9, 20, 3, seed=5), rows(9, 33, 1, seed=6)
    others[0] = notes[0]

    def read(of: list[list[int]], pad: int, *, left: bool) -> torch.Tensor:
        tokens, valid = (pad_left if left else pad_right)(of, pad)
        column = tokens.shape[1] - 1 if left else 8
        logits = Session(model, len(of)).feed(tokens, valid, columns=[column])
        assert torch.isfinite(logits).all()
        return logits[0, 0]

    for left in (True, False):
        assert torch.equal(read(notes, 0, left=left), read(notes, 77, left=left))
        for batch in (notes, others):
            assert distance(read(batch, 0, left=left), model, notes[0], 8) < CLOSE


def test_no_row_of_a_mask_is_empty(model: Any) -> None:
    """Some devices make NaN of it, and NaN spreads; here it would not show in the logits."""
    masks: list[torch.Tensor] = []

    def keep(_: Any, __: Any, options: dict[str, Any]) -> None:
        mask = options["attention_mask"]
        masks.extend(mask.values() if isinstance(mask, dict) else [mask])

    hook = model.register_forward_pre_hook(keep, with_kwargs=True)
    try:
        session = Session(model, 3)
        for valid in (pad_left(rows(4, 30, 1))[1], torch.zeros((3, 5), dtype=torch.bool), pad_right(rows(2, 1, 5))[1]):
            session.feed(torch.zeros(valid.shape, dtype=torch.long), valid, columns=[0])
    finally:
        hook.remove()
    assert len(masks) >= 3
    assert all(mask.dtype == torch.bool and mask.any(-1).all() for mask in masks)


def test_a_prefix_serves_many_batches(model: Any) -> None:
    (prefix,), (note,) = rows(20), rows(11, seed=7)
    shared = Prefix(model, prefix)
    before = [keys.clone() for keys, _ in shared.layers]
    first = Session(model, 1, shared).feed(torch.tensor([note]), columns=[10])
    session = Session(model, 2, shared)
    session.feed(torch.tensor([note, note[::-1]]), columns=[0])
    session.take_back(11)
    session.keep_rows(torch.tensor([1]))
    again = Session(model, 1, shared).feed(torch.tensor([note]), columns=[10])
    assert torch.equal(first, again)
    assert all(torch.equal(a, b) for a, (b, _) in zip(before, shared.layers, strict=True))
    assert distance(first[0, 0], model, prefix + note, -1) < CLOSE


def test_an_empty_prefix_is_none(model: Any) -> None:
    (note,) = rows(11)
    logits = Session(model, 1, Prefix(model, [])).feed(torch.tensor([note]), columns=[10])
    assert distance(logits[0, 0], model, note, -1) < CLOSE


def test_padding_keeps_the_order() -> None:
    left, right = pad_left([[1, 2, 3], [4]], 9), pad_right([[1, 2, 3], [4]], 9)
    assert left[0].tolist() == [[1, 2, 3], [9, 9, 4]]
    assert left[1].tolist() == [[True] * 3, [False, False, True]]
    assert right[0].tolist() == [[1, 2, 3], [4, 9, 9]]
    assert right[1].tolist() == [[True] * 3, [True, False, False]]
