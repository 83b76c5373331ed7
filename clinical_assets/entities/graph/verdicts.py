"""What the checks of the graph ask of its tables, in numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from clinical_assets.entities.graph.withholding import Name, nested_pairs

__all__ = ["SmallCells", "n_edges_without_nodes", "small_cells"]

_COUNTED = ("n_persons", "n_notes", "first_seen", "last_seen")


class SmallCells(NamedTuple):
    """How many small numbers of persons are shown, told by a difference, or left beside a withheld one."""

    n_small: int
    n_differences: int
    n_told_though_withheld: int


def n_edges_without_nodes(nodes: Sequence[Mapping[str, Any]], edges: Sequence[Mapping[str, Any]]) -> int:
    """Count the edges one of whose ends is not among the nodes."""
    known = {one["entity_key"] for one in nodes}
    return sum(not {one["source_key"], one["target_key"]} <= known for one in edges)


def small_cells(nodes: Sequence[Mapping[str, Any]], edges: Sequence[Mapping[str, Any]], k: int) -> SmallCells:
    """Count what shows, or gives away, a number of persons from 1 to k - 1."""
    rows = [*nodes, *edges]
    shown: dict[Name, int | None] = {("node", one["entity_key"]): one["n_persons"] for one in nodes}
    shown |= {("edge", one["source_key"], one["target_key"], one["edge_type"]): one["n_persons"] for one in edges}
    both = ((shown.get(whole), shown.get(part)) for part, whole in nested_pairs(edges))
    differences = [whole - part for whole, part in both if whole is not None and part is not None]
    return SmallCells(
        sum(one["n_persons"] is not None and 0 < one["n_persons"] < k for one in rows),
        sum(0 < n < k for n in differences),
        sum(one["suppressed"] and any(one[name] is not None for name in _COUNTED) for one in rows),
    )
