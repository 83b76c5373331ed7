"""The warehouse as a resource: rebuilt by one step at a time, read through dagster-duckdb."""

import dagster as dg
from dagster_duckdb import DuckDBResource

from clinical_assets.storage.warehouse import Warehouse
from resources.deployment import DeploymentResource

__all__ = ["WAREHOUSE_POOL", "WarehouseResource"]

WAREHOUSE_POOL = "warehouse"  # limit 1: two private copies at once would lose the work of one


class WarehouseResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Gives steps the published DuckDB file."""

    deployment: dg.ResourceDependency[DeploymentResource]

    def open(self) -> Warehouse:
        """Return the warehouse, to rewrite it."""
        settings = self.deployment.settings()
        return Warehouse(settings.warehouse, settings.work)

    def reader(self) -> DuckDBResource:
        """Return a read-only DuckDB resource on the published snapshot."""
        path = self.deployment.settings().warehouse
        if not path.exists():
            raise FileNotFoundError(f"no warehouse at {path}: materialize the cohort assets first (make run)")
        return DuckDBResource(database=str(path), connection_config={"access_mode": "READ_ONLY"})
