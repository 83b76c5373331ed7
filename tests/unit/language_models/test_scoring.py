"""Schema scoring gives what token-by-token decoding gives, whatever the guess, the batch and the padding."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from typing import Any

import pytest
import torch

from clinical_assets.language_models.chat import Chat
from clinical_assets.language_models.scoring import Scored, score
from clinical_assets.language_models.session import Prefix, Session, pad_left, pad_right
from clinical_assets.language_models.skeleton import Skeleton, compile_skeleton
from tests.unit.language_models import tiny_models as tiny

N = len(tiny.SCHEMA.fields)
EVERY = list(itertools.product([False, True], repeat=N))


class Case:
    """A model, what it is asked, and what the oracle says of it."""

    def __init__(self, family: str, merges: bool) -> None:
        tokenizer = tiny.tokenizer(merges=merges)
        chat = Chat(tokenizer, tiny.PROMPT)
        self.model = tiny.model(family)
        self.prompts = chat.encode(tiny.NOTES)
        self.common = chat.common_tokens()
        self.skeleton = compile_skeleton(tokenizer, tiny.SCHEMA, chat.render(""))
        found = [tiny.oracle(self.model, prompt, self.skeleton) for prompt in self.prompts]
        self.values, self.probabilities = [v for v, _ in found], torch.tensor([p for _, p in found])

    def score(self, rows: list[int], drafts: list[Any], *, left: bool = True, shared: bool = True) -> Scored:
        n = len(self.common) if shared else 0
        with torch.inference_mode():
            session = Session(self.model, len(rows), Prefix(self.model, self.common[:n]))
            before = (pad_left if left else pad_right)([self.prompts[row][n:] for row in rows], 5)
            return score(session, before, self.skeleton, drafts)

    def check(self, scored: Scored, rows: list[int]) -> None:
        assert scored.values == tuple(self.values[row] for row in rows)
        assert (torch.tensor(scored.probabilities) - self.probabilities[rows]).abs().max() < 1e-5


@pytest.fixture(scope="module", params=[(f, m) for f in tiny.FAMILIES for m in (True, False)], ids=str)
def case(request: Any) -> Case:
    return Case(*request.param)


def test_the_guess_has_no_influence(case: Case) -> None:
    """All sixteen guesses for one note."""
    for row in (0, 3):
        scored = case.score([row] * len(EVERY), EVERY)
        case.check(scored, [row] * len(EVERY))
        for draft, n in zip(EVERY, scored.n_passes, strict=True):
            assert 1 <= n <= N + 1
            assert draft != case.values[row] or n == 1
            # The last value needs no second look: nothing stands behind it.
            assert draft[:-1] != case.values[row][:-1] or n == 1
            assert draft[:-1] == case.values[row][:-1] or n > 1


def test_batched_is_one_by_one_is_the_oracle(case: Case) -> None:
    pick = random.Random(1)
    rows = list(range(len(tiny.NOTES)))
    for _ in range(3):
        drafts = [pick.choice(EVERY) for _ in rows]
        together = case.score(rows, drafts)
        case.check(together, rows)
        for row in rows:
            alone = case.score([row], [drafts[row]])
            case.check(alone, [row])
            assert alone.n_passes[0] == together.n_passes[row]


def test_side_of_padding_and_shared_prefix_do_not_matter(case: Case) -> None:
    rows = list(range(len(tiny.NOTES)))
    drafts = [(i % 2 == 0,) * N for i in rows]
    for left, shared in itertools.product([True, False], repeat=2):
        case.check(case.score(rows, drafts, left=left, shared=shared), rows)


def test_right_guesses_take_one_pass(case: Case) -> None:
    rows = list(range(len(tiny.NOTES)))
    assert case.score(rows, case.values).n_passes == (1,) * len(rows)


def test_what_is_already_fed_need_not_be_fed_again(case: Case) -> None:
    rows = [4, 1, 2]
    with torch.inference_mode():
        session = Session(case.model, 3)
        tokens, valid = pad_left([case.prompts[row] for row in rows])
        session.feed(tokens, valid, columns=[0])
        case.check(score(session, None, case.skeleton, [(True,) * N] * 3), rows)


def test_the_cases_are_worth_something() -> None:
    """Notes differ in their answers, and answers in their fields, or the tests above would show nothing."""
    cases = [Case(family, True) for family in tiny.FAMILIES]
    assert sum(len(set(case.values)) > 2 for case in cases) >= 3
    assert all(any(len({values[k] for values in case.values}) == 2 for case in cases) for k in range(N))


@pytest.mark.parametrize("true_is_lower", [True, False])
def test_at_a_tie_the_lower_token_wins(true_is_lower: bool) -> None:
    case = Case("qwen2", True)
    skeleton: Skeleton = case.skeleton
    (false, *_), (true, *_) = skeleton.deciding
    if (true < false) != true_is_lower:  # a tokenizer with the words the other way round
        swap = {false: true, true: false}
        skeleton = replace(
            skeleton,
            false=tuple(tuple(swap.get(t, t) for t in tokens) for tokens in skeleton.false),
            true=tuple(tuple(swap.get(t, t) for t in tokens) for tokens in skeleton.true),
        )
    with torch.no_grad():
        case.model.lm_head.weight[true] = case.model.lm_head.weight[false]
    case.skeleton = skeleton
    scored = case.score([0, 1], [(False,) * N, (True,) * N])
    assert (
        scored.values
        == ((true_is_lower,) * N,) * 2
        == tuple(tiny.oracle(case.model, case.prompts[row], skeleton)[0] for row in (0, 1))
    )
    assert scored.probabilities == ((0.5,) * N,) * 2
