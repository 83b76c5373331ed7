"""Asset checks of the knowledge graph: it hangs together, and shows nothing small."""

import dagster as dg

from clinical_assets.entities.graph.assets import GRAPH_KEYS
from clinical_assets.entities.graph.verdicts import n_edges_without_nodes, small_cells
from resources.deployment import DeploymentResource
from resources.lake import LakeResource

__all__ = ["build_graph_checks"]

_ERROR = dg.AssetCheckSeverity.ERROR
_NODES, _EDGES = GRAPH_KEYS


def build_graph_checks() -> list[dg.AssetChecksDefinition]:
    """Return the checks."""
    return [no_edge_without_its_nodes, no_small_cell_is_shown]


@dg.asset_check(asset=_EDGES, blocking=True)
def no_edge_without_its_nodes(lake: LakeResource) -> dg.AssetCheckResult:
    """Fail if an end of an edge is not among the nodes."""
    nodes, edges = _rows(lake)
    n = n_edges_without_nodes(nodes, edges)
    return dg.AssetCheckResult(passed=n == 0, severity=_ERROR, metadata={"n_edges": len(edges), "n_without_nodes": n})


@dg.asset_check(asset=_EDGES, blocking=True, additional_deps=[_NODES])
def no_small_cell_is_shown(lake: LakeResource, deployment: DeploymentResource) -> dg.AssetCheckResult:
    """Fail if a number of persons below the smallest cell is shown, or left when an edge is taken away from what holds it."""
    k = deployment.load_study().publication.small_cell_threshold
    found = small_cells(*_rows(lake), k)
    return dg.AssetCheckResult(passed=not any(found), severity=_ERROR, metadata={"smallest_cell": k, **found._asdict()})


def _rows(lake: LakeResource) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    nodes, edges = (lake.open().read_all("/".join(key.path)).to_pylist() for key in GRAPH_KEYS)
    return nodes, edges
