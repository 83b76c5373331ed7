"""What entities are used for, as data: safety signals, patterns of treatment, trends, biomarkers, trials."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from clinical_assets.study.trials import Trial

__all__ = ["Applications", "Biomarker", "Prevalence", "Safety", "Treatment", "Trends"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Safety(_Strict):
    """Drug-event pairs."""

    event_within_days: int = Field(
        90, ge=1, le=3_650, description="an event counts for a drug from the day after its start to this day"
    )
    minimum_reports: int = Field(3, ge=1, description="pairs with fewer reports are never flagged")


class Prevalence(_Strict):
    """Persons with a condition per calendar year."""

    years: int = Field(3, ge=1, le=50, description="last calendar years of the data that are counted")
    conditions: int = Field(10, ge=1, le=500, description="most frequent conditions that are counted")


class Treatment(_Strict):
    """A condition and the drugs that are lines of its treatment; descendants of all of them count."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")
    conditions: Annotated[list[int], Field(min_length=1, description="OMOP standard concept ids")]
    drugs: Annotated[list[int], Field(min_length=1, description="OMOP standard concept ids")]


class Trends(_Strict):
    """Monthly counts against what went before."""

    baseline_months: int = Field(24, ge=6, le=240, description="months before, from which the expected rate comes")
    minimum_expected: float = Field(0.5, gt=0, description="series with fewer expected events a month are not scanned")
    false_discovery_rate: float = Field(0.05, gt=0, lt=1, description="Benjamini-Hochberg over all series and months")
    months: int = Field(36, ge=1, le=600, description="last months that are scanned")


class Biomarker(_Strict):
    """A biomarker, and how notes write it."""

    name: str = Field(min_length=1, max_length=60)
    terms: Annotated[list[Annotated[str, Field(min_length=2, max_length=80)]], Field(min_length=1)] = Field(
        description="words as written; a blank or hyphen matches any of blank, hyphen, slash, colons or none"
    )
    case_sensitive: bool = Field(False, description="for short names that are words otherwise, e.g. MET")


_BIOMARKERS = [
    Biomarker(name="BCR::ABL1", terms=["BCR-ABL1", "BCR-ABL"]),
    Biomarker(
        name="Philadelphia chromosome",
        terms=["Philadelphia chromosome", "Philadelphia-positive", "Ph+", "Ph-positive", "t(9;22)"],
    ),
    Biomarker(name="JAK2", terms=["JAK2", "JAK-2"]),
    Biomarker(name="BRCA1", terms=["BRCA1", "BRCA-1"]),
    Biomarker(name="BRCA2", terms=["BRCA2", "BRCA-2"]),
    Biomarker(name="HER2", terms=["HER2", "Her2", "HER-2", "Her-2", "ERBB2"], case_sensitive=True),
    Biomarker(name="EGFR", terms=["EGFR"], case_sensitive=True),
    Biomarker(name="KRAS", terms=["KRAS", "K-ras"]),
    Biomarker(name="FLT3", terms=["FLT3", "FLT-3"]),
    Biomarker(name="PD-L1", terms=["PD-L1"]),
]


class Applications(_Strict):
    """What entities are used for."""

    safety: Safety = Safety()
    prevalence: Prevalence = Prevalence()
    treatments: list[Treatment] = []
    trends: Trends = Trends()
    biomarkers: list[Biomarker] = _BIOMARKERS
    trials: list[Trial] = Field([], description="besides those of landing/trials/*.yaml")

    @model_validator(mode="after")
    def _names_differ(self) -> Applications:
        for what, names in (
            ("trials", [trial.name for trial in self.trials]),
            ("treatments", [treatment.name for treatment in self.treatments]),
            ("biomarkers", [marker.name for marker in self.biomarkers]),
        ):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{what}: duplicate names: {', '.join(twice)}; every one needs a name of its own")
        return self
