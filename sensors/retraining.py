"""Training adapters anew when there are enough new human labels, where the study says so."""

import dagster as dg

from clinical_assets.adapters.assets import adapter_keys
from clinical_assets.adapters.retraining import new_since_training
from clinical_assets.language_models.catalogue import ModelEntry
from resources.deployment import DeploymentResource
from resources.lake import LakeResource
from sensors.jobs import TRAIN_ADAPTERS

__all__ = ["build_retraining_sensors"]


def build_retraining_sensors(entries: list[ModelEntry]) -> list[dg.SensorDefinition]:
    """Return the sensor that trains the adapters of these models anew; none where there is no model.

    It looks whenever the splits of the annotated notes were made anew, which is after every change of the human labels.
    """
    if not entries:
        return []

    @dg.asset_sensor(
        asset_key=dg.AssetKey(["annotations", "splits"]),
        name="retrain_adapters",
        job_name=TRAIN_ADAPTERS,
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Launches train_adapters once enough notes were newly annotated (study: fine_tuning.retrain, min_new).",
    )
    def retrain_adapters(
        context: dg.SensorEvaluationContext,
        asset_event: dg.EventLogEntry,
        deployment: DeploymentResource,
        lake: LakeResource,
    ) -> dg.SensorResult | dg.SkipReason:
        study = deployment.load_study()
        if study.fine_tuning.retrain == "manual":
            return dg.SkipReason("the study has fine_tuning.retrain: manual")
        needed, requests = study.fine_tuning.min_new, []
        for entry in entries:
            n_new = new_since_training(lake.open(), deployment.settings().models, entry, study)
            context.log.info(
                f"{entry.name}: {n_new} notes annotated since its adapter was trained; {needed} are needed"
            )
            if n_new >= needed:
                requests.append(
                    dg.RunRequest(
                        run_key=f"{entry.name}:{asset_event.run_id}",
                        asset_selection=adapter_keys(entry),
                        tags={"clinical/model": entry.name},
                    )
                )
        return dg.SensorResult(run_requests=requests, skip_reason=None if requests else "too few new annotations")

    return [retrain_adapters]
