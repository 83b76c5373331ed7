"""Dagster assets of the knowledge graph: its nodes and edges, and the files for other tools."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pyarrow as pa

from clinical_assets.entities.graph.counting import count_graph
from clinical_assets.entities.graph.export import export_graph
from clinical_assets.entities.graph.figure import graph_figure
from clinical_assets.entities.graph.withholding import withhold
from clinical_assets.statistics.plots import markdown_image
from clinical_assets.storage.entity_contracts import ENTITY_TABLES
from resources.deployment import DeploymentResource
from resources.lake import LakeResource

__all__ = ["GRAPH_KEYS", "build_graph_assets"]

_NODES, _EDGES = (dg.AssetKey(["entities", name]) for name in ("graph_nodes", "graph_edges"))
GRAPH_KEYS = [_NODES, _EDGES]
_COMMON: dict[str, Any] = {
    "group_name": "entities",
    "owners": ["team:clinical-nlp"],
    "kinds": {"python", "parquet", "duckdb"},
    "code_version": "1",
}


def build_graph_assets(mentions: dg.AssetKey, relations: dg.AssetKey) -> list[dg.AssetsDefinition]:
    """Return the assets. `mentions` and `relations` are those per note batch."""

    @dg.multi_asset(
        name="count_entity_graph",
        specs=[
            dg.AssetSpec(_NODES, deps=[mentions], description=(
                "What notes name of their patients: one row per entity, synonyms of one concept together, with persons and notes; counts "
                "of fewer persons than the smallest cell are withheld. Read by entities.graph_nodes."), **_COMMON),
            dg.AssetSpec(_EDGES, deps=[mentions, relations], description=(
                "Chemicals and diseases that notes name together: one row per pair and kind of edge, with persons and notes; small counts, "
                "and those that would give one away, are withheld. Read by entities.graph_edges."), **_COMMON),
        ],
    )  # fmt: skip
    def entity_graph(lake: LakeResource, deployment: DeploymentResource) -> Iterator[dg.MaterializeResult]:
        store = lake.open()
        counted = count_graph(store)
        nodes, edges = withhold(*counted, deployment.load_study().publication.small_cell_threshold)
        files = export_graph(nodes, edges, deployment.settings().exports)
        picture = graph_figure(nodes, edges)
        shown: dict[str, Any] = {"exports": dg.MetadataValue.path(str(files[0].parent))}
        if picture is not None:
            shown["top_of_the_graph"] = dg.MetadataValue.md(markdown_image(picture, "top of the graph"))
        for key, rows in ((_NODES, nodes), (_EDGES, edges)):
            table = "/".join(key.path)
            written = store.write(table, pa.Table.from_pylist(rows, ENTITY_TABLES[table]), ENTITY_TABLES[table])
            withheld = sum(row["suppressed"] for row in rows)
            yield dg.MaterializeResult(
                asset_key=key,
                data_version=dg.DataVersion(written.digest),
                metadata={"dagster/row_count": written.n_rows, "n_withheld": withheld, **shown},
            )

    return [entity_graph]
