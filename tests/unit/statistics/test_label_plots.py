"""Figures of raters: they come out as PNG whatever is missing, and refuse what does not fit."""

from __future__ import annotations

import pytest

from clinical_assets.statistics.label_plots import ReliabilityPanel, forest_figure, pairs_figure, reliability_figure

PNG = b"\x89PNG"


def test_forest() -> None:
    series = {f"s{i}": [(0.5, 0.4, 0.6), None, (1.0, None, None)] for i in range(9)}
    assert forest_figure(["a", "b", "c"], series, title="t", xlabel="x", note="n").startswith(PNG)
    assert forest_figure([], {}, title="t", xlabel="x").startswith(PNG)
    with pytest.raises(ValueError, match="not so: short"):
        forest_figure(["a", "b"], {"short": [None]}, title="t", xlabel="x")


@pytest.mark.parametrize("n", [0, 1, 4])
def test_reliability(n: int) -> None:
    panels = {
        f"m{i}": ReliabilityPanel([(0.2, 0.1, 0.05, 0.3, 40), (0.8, 0.9, 0.7, 1.0, 60)], 100, 0.1) for i in range(n)
    }
    assert reliability_figure(panels, title="t", note="n").startswith(PNG)


def test_pairs() -> None:
    assert pairs_figure(["a", "b", "c"], {("a", "b"): (0.7, "8 fields"), ("c", "a"): (-0.2, "")}, title="t").startswith(
        PNG
    )
    assert pairs_figure([], {}, title="t").startswith(PNG)
