"""The landing folder as a resource: where a batch is, its digest, and the persons that notes may speak of."""

from pathlib import Path

import dagster as dg
import pyarrow as pa

from clinical_assets.cohort.persons import read_persons
from clinical_assets.notes.digests import content_digest
from clinical_assets.notes.locate import locate_batch
from resources.deployment import DeploymentResource

__all__ = ["LandingResource"]


class LandingResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Read-only view of ``$CLINICAL_DATA/landing``. Producers own it; nothing here writes."""

    deployment: dg.ResourceDependency[DeploymentResource]

    def notes_folder(self) -> Path:
        """Return the folder where note batches land."""
        return self.deployment.settings().landing / "notes"

    def omop_folder(self) -> Path:
        """Return the folder where OMOP snapshots land."""
        return self.deployment.settings().landing / "omop"

    def annotations_folder(self) -> Path:
        """Return the folder where human labels land."""
        return self.deployment.settings().landing / "annotations"

    def prediction_folder(self) -> Path:
        """Return the folder where tables of prediction questions land."""
        return self.deployment.settings().landing / "prediction"

    def trials_folder(self) -> Path:
        """Return the folder where criteria of trials land."""
        return self.deployment.settings().landing / "trials"

    def batch(self, key: str) -> tuple[Path, str]:
        """Return a landed batch's path and content digest.

        Raises
        ------
        MissingFile
            If nothing landed under that key.
        """
        path = locate_batch(self.notes_folder(), key)
        return path, content_digest(path)

    def persons(self) -> pa.Table | None:
        """Return person_id, birth_date (the earliest possible), death_date; None before any person table landed."""
        return read_persons(self.omop_folder())
