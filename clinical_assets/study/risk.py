"""A risk question: who has an index event, who is a case, a control or left out, and which models are tried. Data only."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["FEATURE_SETS", "LEARNERS", "ConceptChoice", "RiskModels", "RiskQuestion", "RiskWindows"]

_HUNDRED_YEARS = 36_525
LEARNERS = ("logistic", "random_forest", "lightgbm", "svm", "mlp")
FEATURE_SETS = (
    "counts",
    "embeddings",
    "counts+embeddings",
    "counts+medication",
    "embeddings+medication",
    "counts+embeddings+medication",
)

Learner = Literal["logistic", "random_forest", "lightgbm", "svm", "mlp"]
FeatureSet = Literal[
    "counts",
    "embeddings",
    "counts+embeddings",
    "counts+medication",
    "embeddings+medication",
    "counts+embeddings+medication",
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RiskWindows(_Strict):
    """Days relative to the index date, and ages in full years, as in the published cohort design (LEARN)."""

    look_back_days: int = Field(
        730, ge=0, le=_HUNDRED_YEARS, description="first record at the latest so many days before the index"
    )
    buffer_days: int = Field(
        180, ge=0, le=_HUNDRED_YEARS, description="an outcome up to then was there already: the person is left out"
    )
    follow_up_days: int = Field(
        1825, ge=1, le=_HUNDRED_YEARS, description="last day of a case's outcome; a control is seen after it"
    )
    age_above: int = Field(15, ge=0, le=130, description="full years at index must be above it")
    age_up_to: int = Field(85, ge=0, le=130, description="full years at index must be at most it")
    exclusions: Literal["pre_index_only", "any_time"] = Field(
        "pre_index_only",
        description="excluding conditions count before the index only; any_time is the published design, which looks into the future",
    )

    @model_validator(mode="after")
    def _holds_together(self) -> RiskWindows:
        if self.buffer_days >= self.follow_up_days:
            raise ValueError(
                f"buffer_days {self.buffer_days} is not below follow_up_days {self.follow_up_days}: no day would be left on which "
                "an outcome makes a case"
            )
        if self.age_above >= self.age_up_to:
            raise ValueError(
                f"age_above {self.age_above} is not below age_up_to {self.age_up_to}: nobody could be kept"
            )
        return self


class ConceptChoice(_Strict):
    """Records of these concepts, in whichever fact table: conditions, drugs, procedures, measurements, observations."""

    concepts: Annotated[list[int], Field(min_length=1, description="OMOP standard concept ids")]
    include_descendants: bool = True
    values: list[int] = Field([], description="only records with one of these value_as_concept_id; any if empty")


class RiskModels(_Strict):
    """Which feature sets and learners are compared, how, and which model gives the scores."""

    feature_sets: Annotated[list[FeatureSet], Field(min_length=1)] = ["counts", "embeddings", "counts+embeddings"]
    learners: Annotated[list[Learner], Field(min_length=1)] = ["logistic", "lightgbm"]
    encoders: list[str] = Field(
        [], description="encoders of embeddings.person_vectors to compare; empty: all that are there"
    )
    folds: int = Field(5, ge=2, le=20, description="parts of the stratified cross-validation, by person")
    repeats: int = Field(1, ge=1, le=50, description="how often it is repeated with other parts")
    seed: int = Field(123, ge=0)
    minimum_persons: int = Field(5, ge=1, description="codes that fewer persons of a training part have are no feature")
    components: int = Field(64, ge=1, le=64, description="numbers per embedded domain, fitted in the fold")
    reduction: Literal["pca", "autoencoder"] = Field(
        "pca", description="how vectors are brought to so many numbers; texts of tfidf_svd always by SVD"
    )
    class_weight: Literal["balanced", "none"] = "balanced"
    oversampling: Literal["none", "smote"] = Field(
        "none", description="smote: the published design; needs imbalanced-learn, and spoils probabilities"
    )
    tuning_trials: int = Field(
        0, ge=0, le=500, description="trials inside each training part; needs optuna; 0: defaults"
    )
    bootstrap: int = Field(1000, ge=100, le=20_000, description="draws of persons for confidence limits")
    optimism_draws: int = Field(
        0,
        ge=0,
        le=2_000,
        description="bootstrap models for the optimism-corrected area (Harrell); for few events, 0: none",
    )
    time_split: dt.date | None = Field(None, description="train on indexes before it, test on later ones")
    promoted_feature_set: FeatureSet = "counts+embeddings"
    promoted_learner: Learner = "logistic"

    @model_validator(mode="after")
    def _promotes_what_it_tries(self) -> RiskModels:
        if self.promoted_feature_set not in self.feature_sets or self.promoted_learner not in self.learners:
            raise ValueError(
                f"promoted_feature_set {self.promoted_feature_set!r} with promoted_learner {self.promoted_learner!r} is not among "
                "feature_sets and learners: only a model that was evaluated may give scores"
            )
        return self


class RiskQuestion(_Strict):
    """One risk question: index event, outcome, windows, exclusions, models."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")
    index: ConceptChoice
    outcome: ConceptChoice
    severe: ConceptChoice | None = Field(None, description="a second, severe outcome, looked at with the same scores")
    exclusions: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")], ConceptChoice] = {}
    genetic_score: ConceptChoice | None = Field(None, description="records whose value_as_number is a genetic score")
    windows: RiskWindows = RiskWindows()
    models: RiskModels = RiskModels()
    minimum_events: int = Field(10, ge=2, description="with fewer cases, or fewer controls, no model is claimed")
    minimum_records: dict[Literal["condition", "procedure", "drug"], int] = Field(
        default_factory=dict, description="records before the index that a person needs per domain; none by default"
    )
