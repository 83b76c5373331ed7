"""Which counts of the graph are not shown: small ones, and those from which a small one could be worked out by taking away.

The persons of an edge are among those of its two nodes, and those of a worded edge among those of the same pair in one sentence.
Where both numbers were shown, their difference would be a number of persons as well. So an edge is withheld, too, if that
difference is from 1 to k - 1. Nothing else adds up in the graph: it holds no totals and no complements.
`statistics.suppression` audits it so in the tests.

What is not guarded: what a reader works out from graphs of two dates, or from knowing how many persons there are in all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

__all__ = ["Name", "nested_pairs", "withhold"]

Row = dict[str, Any]
Name = tuple[str, ...]  # of a node or an edge
_SAME = "same_sentence"
_WORDED = ("worded_treats", "worded_causes")
_COUNTS = ("n_mentions", "n_names", "n_notes", "n_persons", "first_seen", "last_seen", "mean_probability")


def withhold(
    nodes: Sequence[Mapping[str, Any]], edges: Sequence[Mapping[str, Any]], k: int
) -> tuple[list[Row], list[Row]]:
    """Return nodes and edges as they may be shown: with `suppressed`, and without any count where that is true.

    Parameters
    ----------
    nodes, edges
        True counts; see `counting`.
    k
        Smallest number of persons that is shown.

    Raises
    ------
    ValueError
        If an edge names a node that is not there, or ``k < 1``.
    """
    if k < 1:
        raise ValueError(f"k is {k}; expected the smallest count that may be shown, at least 1")
    persons: dict[Name, int] = {("node", one["entity_key"]): int(one["n_persons"]) for one in nodes}
    persons |= {_name(one): int(one["n_persons"]) for one in edges}
    hidden = {name for name, n in persons.items() if n < k}
    # Those that hold others first: an edge that is withheld anyway gives no difference away.
    for part, whole in sorted(nested_pairs(edges), key=lambda two: two[0][-1] in _WORDED):
        if whole not in persons:
            raise ValueError(
                f"edge {part} names {whole}, which is not among the nodes: count both from the same tables"
            )
        if whole not in hidden and part not in hidden and 0 < persons[whole] - persons[part] < k:
            hidden.add(part)
    return (
        [_shown(one, ("node", one["entity_key"]) in hidden) for one in nodes],
        [_shown(one, _name(one) in hidden) for one in edges],
    )


def nested_pairs(edges: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Name, Name]]:
    """Yield (part, whole) for every edge: the persons of the part are among those of the whole."""
    for edge in edges:
        name = _name(edge)
        yield name, ("node", edge["source_key"])
        yield name, ("node", edge["target_key"])
        if edge["edge_type"] in _WORDED:
            yield name, ("edge", edge["source_key"], edge["target_key"], _SAME)


def _name(edge: Mapping[str, Any]) -> Name:
    return ("edge", edge["source_key"], edge["target_key"], edge["edge_type"])


def _shown(row: Mapping[str, Any], suppressed: bool) -> Row:
    return {**row, **({name: None for name in _COUNTS if name in row} if suppressed else {}), "suppressed": suppressed}
