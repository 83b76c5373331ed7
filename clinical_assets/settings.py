"""Deployment settings: where data lives, which study, which profile. Read from the environment when asked, never at import."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

__all__ = ["Settings"]


class Settings(BaseSettings):
    """What differs between deployments. Every name is an environment variable with the prefix ``CLINICAL_``.

    Unknown ``CLINICAL_*`` variables are not an error (a shell may carry others); ``clinical-assets doctor`` lists them.
    """

    model_config = SettingsConfigDict(env_prefix="CLINICAL_", extra="ignore", frozen=True)

    data: Path = Field(default=Path("data"), description="Folder of landing, lake, models, warehouse and work")
    study: Path | None = Field(default=None, description="Study file (YAML); default the shipped CML/imatinib study")
    profile: Literal["demo", "gpu", "server"] = Field(default="demo", description="Where models run")
    catalogue: Path | None = Field(default=None, description="Catalogue of models (YAML); default the shipped one")
    device: Literal["auto", "cpu", "cuda", "mps"] = Field(default="auto", description="Where local models run")
    lake_url: str | None = Field(default=None, description="Lake root, e.g. s3://bucket/lake; default <data>/lake")
    settle_seconds: float = Field(
        default=5.0, ge=0, description="Age at which a loose landed file counts as complete, s"
    )
    max_batches_per_tick: int = Field(default=20, ge=1, le=1000, description="Ingest runs a sensor tick may launch")
    alert_webhook: SecretStr | None = Field(default=None, description="URL that gets a JSON POST when a run fails")
    alert_email_to: str | None = Field(default=None, description="Address that gets an e-mail when a run fails")
    smtp_host: str = Field(default="localhost", description="Mail server for alerts")
    smtp_port: int = Field(default=25, ge=1, le=65535, description="Port of the mail server")

    @field_validator("data")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    @property
    def landing(self) -> Path:
        """Folder where producers drop files; never written by the platform."""
        return self.data / "landing"

    @property
    def lake(self) -> str:
        """Root of the lake: a folder or an object-store URL."""
        return self.lake_url or str(self.data / "lake")

    @property
    def warehouse(self) -> Path:
        """The DuckDB file that analysts open."""
        return self.data / "warehouse" / "clinical.duckdb"

    @property
    def models(self) -> Path:
        """Trained models, by name and digest."""
        return self.data / "models"

    @property
    def report(self) -> Path:
        """Figures and tables for reading."""
        return self.data / "report"

    @property
    def exports(self) -> Path:
        """Files with text of notes, for people and their tools; readable by their owner only."""
        return self.data / "exports"

    @property
    def audit(self) -> Path:
        """Who asked the server for what, without text; kept for ever."""
        return self.data / "audit" / "serving"

    @property
    def work(self) -> Path:
        """Scratch space for private copies; safe to delete when nothing runs."""
        return self.data / "work"
