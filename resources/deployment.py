"""The deployment: settings and study, read when a run starts and never at import."""

import dagster as dg

from clinical_assets.settings import Settings
from clinical_assets.study.load import load_study
from clinical_assets.study.model import Study

__all__ = ["DeploymentResource"]


class DeploymentResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Settings of this deployment. A field left empty comes from the environment (``CLINICAL_*``)."""

    data: str | None = None
    study: str | None = None
    lake_url: str | None = None

    def settings(self) -> Settings:
        """Return the effective settings."""
        given = {"data": self.data, "study": self.study, "lake_url": self.lake_url}
        return Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]

    def load_study(self) -> Study:
        """Return the validated study.

        Raises
        ------
        StudyError
            If the YAML has unknown keys, duplicate fields, unsafe patterns; it names the file, the path and the mend.
        """
        return load_study(self.settings().study)
