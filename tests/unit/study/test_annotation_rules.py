"""What a study may say of annotations."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from clinical_assets.study.annotations import AnnotationRules, SplitRules


def test_shares_and_numbers() -> None:
    assert AnnotationRules().splits.parts == {"train": 0.4, "validation": 0.3, "test": 0.3}
    assert AnnotationRules().splits.are_shares
    seed = SplitRules(train=200, test=100)
    assert seed.parts == {"train": 200, "test": 100}
    assert not seed.are_shares


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"train": 0.5, "test": 0.4},
        {"train": 200.5, "test": 100},
        {"train": 0.7, "test": 0.7},
        {"train": -1, "test": 2},
    ],
)
def test_anything_else_is_refused_in_words(parts: dict) -> None:
    with pytest.raises(ValidationError) as caught:
        SplitRules(**parts)
    assert "add up to" in str(caught.value) or "greater than or equal" in str(caught.value)
