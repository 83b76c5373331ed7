"""The knowledge graph as files for other tools: GraphML and Parquet. Only what is shown is in them.

Withheld rows are left out. A shown edge has both its nodes: no node has fewer persons than one of its edges.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from clinical_assets.storage.entity_contracts import GRAPH_EDGES, GRAPH_NODES

__all__ = ["export_graph"]

_NOT_IN_XML = re.compile(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def export_graph(nodes: Sequence[Mapping[str, Any]], edges: Sequence[Mapping[str, Any]], exports: Path) -> list[Path]:
    """Write ``<exports>/entities/graph.graphml``, ``graph_nodes.parquet`` and ``graph_edges.parquet``; return their paths.

    Parameters
    ----------
    nodes, edges
        Rows of the contracts.
    exports
        Folder of exports; readable by its owner only. Each file is replaced whole.
    """
    shown = [one for one in nodes if not one["suppressed"]]
    linked = [one for one in edges if not one["suppressed"]]
    folder = exports / "entities"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return [
        _replace(folder / "graph.graphml", lambda path: _write_graphml(shown, linked, path)),
        _replace(folder / "graph_nodes.parquet", lambda path: _write_parquet(shown, GRAPH_NODES, path)),
        _replace(folder / "graph_edges.parquet", lambda path: _write_parquet(linked, GRAPH_EDGES, path)),
    ]


def _write_graphml(nodes: Sequence[Mapping[str, Any]], edges: Sequence[Mapping[str, Any]], path: Path) -> None:
    import networkx

    graph = networkx.MultiDiGraph(name="entities")
    for one in nodes:
        graph.add_node(one["entity_key"], **_attributes(one, "entity_key"))
    for one in edges:
        graph.add_edge(
            one["source_key"],
            one["target_key"],
            key=one["edge_type"],
            **_attributes(one, "source_key", "target_key"),
        )
    networkx.write_graphml_xml(graph, path, named_key_ids=True)


def _attributes(row: Mapping[str, Any], *but: str) -> dict[str, Any]:
    """Return what GraphML can hold: no nulls, dates as text, no characters that XML has not."""
    out: dict[str, Any] = {}
    for name, value in row.items():
        if name in but or name == "suppressed" or value is None:
            continue
        out[name] = value if isinstance(value, bool | int | float) else _NOT_IN_XML.sub(" ", str(value))
    return out


def _write_parquet(rows: Sequence[Mapping[str, Any]], schema: pa.Schema, path: Path) -> None:
    pq.write_table(pa.Table.from_pylist([dict(one) for one in rows], schema), path, compression="zstd")


def _replace(path: Path, write: Callable[[Path], None]) -> Path:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path
