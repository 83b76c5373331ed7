"""The lake as a resource: opened per step, every declared table scannable."""

import dagster as dg

from clinical_assets.storage.contracts import LAKE_TABLES
from clinical_assets.storage.lake import Lake
from resources.deployment import DeploymentResource

__all__ = ["LakeResource"]


class LakeResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Gives steps a :class:`~clinical_assets.storage.lake.Lake` with all tables declared."""

    deployment: dg.ResourceDependency[DeploymentResource]

    def open(self) -> Lake:
        """Return the lake of this deployment."""
        lake = Lake(self.deployment.settings().lake)
        for table, schema in LAKE_TABLES.items():
            lake.declare(table, schema)
        return lake
