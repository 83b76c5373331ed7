"""A picture of the top of the knowledge graph: chemicals on the left, diseases on the right, lines as wide as there are persons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from clinical_assets.statistics.plots import COLOURS, new_figure, png_bytes

__all__ = ["graph_figure"]

_TITLES = {
    "same_sentence": "named in one sentence",
    "chemical_induces_disease": "said to induce",
    "worded_treats": "worded as treatment",
    "worded_causes": "worded as cause",
}
_WIDEST = 6.0  # points


def graph_figure(
    nodes: Sequence[Mapping[str, Any]], edges: Sequence[Mapping[str, Any]], most: int = 25
) -> bytes | None:
    """Draw the shown edges with most persons, other than those of one sentence where there are any; return a PNG, or None without any."""
    shown = [one for one in edges if not one["suppressed"]]
    told = [one for one in shown if one["edge_type"] != "same_sentence"] or shown
    top = sorted(told, key=lambda one: (-one["n_persons"], one["source_key"], one["target_key"], one["edge_type"]))
    top = top[:most]
    if not top:
        return None
    names = {one["entity_key"]: one["name"] or f"not linked ({one['entity_key'][-6:]})" for one in nodes}
    sides = [list(dict.fromkeys(one[side] for one in top)) for side in ("source_key", "target_key")]
    height = {
        (s, key): -place / max(len(keys) - 1, 1) for s, keys in enumerate(sides) for place, key in enumerate(keys)
    }
    figure = new_figure(9.0, 1.5 + 0.32 * max(map(len, sides)))
    axes = figure.subplots()
    kinds = [kind for kind in _TITLES if any(one["edge_type"] == kind for one in top)]
    for one in top:
        axes.plot(
            [0, 1],
            [height[0, one["source_key"]], height[1, one["target_key"]]],
            color=COLOURS[kinds.index(one["edge_type"])],
            linewidth=max(_WIDEST * one["n_persons"] / top[0]["n_persons"], 0.5),
            alpha=0.6,
        )
    for side, align, x in ((0, "right", -0.02), (1, "left", 1.02)):
        for key in sides[side]:
            axes.text(x, height[side, key], names.get(key, key)[:40], ha=align, va="center", fontsize=8)
    for place, kind in enumerate(kinds):
        axes.plot([], [], color=COLOURS[place], linewidth=3, label=_TITLES[kind])
    axes.set(xlim=(-0.6, 1.6), title=f"The {len(top)} edges with most persons (widest: {top[0]['n_persons']})")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, -0.12), ncols=len(kinds), frameon=False, fontsize=8)
    axes.axis("off")
    return png_bytes(figure)
