"""Figures withhold small numbers and are images."""

from __future__ import annotations

import base64

import numpy as np

from clinical_assets.statistics.plots import at_risk_label, bars_figure, markdown_image, step_figure, visible_until
from clinical_assets.statistics.survival import kaplan_meier

PNG = b"\x89PNG\r\n\x1a\n"


def test_numbers_at_risk_below_the_limit_are_not_shown() -> None:
    assert [at_risk_label(n, 11) for n in (0, 1, 10, 11, 128)] == ["0", "<11", "<11", "11", "128"]


def test_a_curve_ends_where_too_few_are_at_risk() -> None:
    curve = kaplan_meier(np.arange(1, 31), np.ones(30))
    last = visible_until(curve, 11)
    assert curve.n_at_risk[curve.time == last] == 11
    assert (curve.n_at_risk[curve.time > last] < 11).all()
    assert visible_until(kaplan_meier([1, 2], [1, 1]), 11) == 0.0


def test_figures_are_png_images_that_markdown_can_carry() -> None:
    curves = {"all": kaplan_meier(np.arange(1, 31), np.ones(30)), "few": kaplan_meier([1, 2], [1, 0])}
    for image in (
        step_figure(curves, title="t", ylabel="y"),
        bars_figure([("a", 12), ("b", None)], title="t", xlabel="x"),
    ):
        assert image.startswith(PNG)
        carried = markdown_image(image, "figure")
        assert base64.b64decode(carried.split("base64,")[1].rstrip(")")) == image
