"""Figures for people: written to the report folder and shown in the metadata of the asset that draws them."""

from collections.abc import Callable, Mapping
from typing import Any

import dagster as dg

from clinical_assets.statistics.plots import markdown_image, write_figures
from resources.deployment import DeploymentResource
from resources.warehouse import WarehouseResource

__all__ = ["publish_figures"]


def publish_figures(
    context: dg.AssetExecutionContext,
    deployment: DeploymentResource,
    warehouse: WarehouseResource,
    draw: Callable[..., Mapping[str, bytes]],
) -> dg.MaterializeResult[None]:
    """Draw figures from the published warehouse and put each into the report folder and into the metadata.

    Parameters
    ----------
    draw
        Called as ``draw(connection, smallest=...)``, where `smallest` is the smallest count that may be shown; name -> PNG.
    """
    with warehouse.reader().get_connection() as connection:
        figures = draw(connection, smallest=deployment.load_study().publication.small_cell_threshold)
    folder = deployment.settings().report / "figures"
    context.log.info(f"{len(write_figures(folder, figures))} figures in {folder}")
    shown: dict[str, Any] = {name: dg.MetadataValue.md(markdown_image(png, name)) for name, png in figures.items()}
    return dg.MaterializeResult(metadata={"n_figures": len(figures), "folder": dg.MetadataValue.path(folder), **shown})
