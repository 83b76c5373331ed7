"""The asset of an adapter that is promoted by its loss, whatever it is trained for, and what it says of the training."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import dagster as dg

from clinical_assets.adapters.chain import settings_of
from clinical_assets.adapters.figures import training_figure
from clinical_assets.language_models.catalogue import ModelEntry
from clinical_assets.language_models.devices import Device
from clinical_assets.language_models.lora_settings import LoraSettings
from clinical_assets.language_models.promotion import PromotedAdapter
from clinical_assets.statistics.plots import markdown_image
from clinical_assets.storage.lake import Lake
from clinical_assets.study.model import Study
from resources.deployment import DeploymentResource
from resources.gpu import GPU_POOL, GpuResource
from resources.lake import LakeResource

__all__ = ["Train", "build_adapter_asset"]


class Train(Protocol):
    """Trains an adapter on what the lake holds."""

    def __call__(
        self,
        lake: Lake,
        entry: ModelEntry,
        study: Study,
        settings: LoraSettings,
        *,
        models: Path,
        device: Device,
        log: Callable[[str], None],
    ) -> PromotedAdapter:
        """Return the adapter, promoted or not."""


def build_adapter_asset(
    entry: ModelEntry,
    key: dg.AssetKey,
    train: Train,
    *,
    deps: Sequence[dg.AssetKey],
    better: str,
    description: str,
    mend: str,
) -> dg.AssetsDefinition:
    """Return the asset that trains a model's adapter and promotes it where it is better than its base.

    Parameters
    ----------
    better
        Name of the check that it was promoted.
    mend
        What to do where it was not.
    """

    @dg.asset(
        key=key,
        deps=list(deps),
        group_name="adapters",
        owners=["team:clinical-nlp"],
        kinds={"python", "pytorch", "huggingface"} | ({"gpu"} if entry.profile == "gpu" else set()),
        pool=GPU_POOL,
        tags={"clinical/automation": "manual", "clinical/profile": entry.profile},
        metadata={"base": entry.model or "", "preset": entry.lora, "licence": entry.licence},
        code_version="1",
        check_specs=[
            dg.AssetCheckSpec(
                better,
                asset=key,
                description="The validation loss is below that of the base. Otherwise the adapter is not promoted.",
            )
        ],
        description=description,
    )
    def adapter(
        context: dg.AssetExecutionContext, lake: LakeResource, deployment: DeploymentResource, gpu: GpuResource
    ) -> dg.MaterializeResult:
        study = deployment.load_study()
        trained = train(
            lake.open(),
            entry,
            study,
            settings_of(entry, study),
            models=deployment.settings().models,
            device=gpu.device(),
            log=context.log.info,
        )
        curves = markdown_image(training_figure(trained.card), "loss by step")
        return _training_result(trained, curves, better, mend)

    return adapter


def _training_result(trained: PromotedAdapter, curves: str, better: str, mend: str) -> dg.MaterializeResult:
    """Return the result of a training.

    Parameters
    ----------
    curves
        The losses as a figure in Markdown.
    better
        Name of the asset's check that the adapter was promoted.
    mend
        What to do where it was not.
    """
    made, card = trained.adapter, trained.card
    losses = {"validation_loss": trained.loss, "base_validation_loss": card.base_validation_loss}
    return dg.MaterializeResult(
        data_version=dg.DataVersion(made.digest),
        metadata={
            "adapter_sha": made.digest,
            "folder": dg.MetadataValue.path(made.folder),
            "was_there_already": made.reused,
            "is_promoted": trained.promoted,
            "n_train": card.n_train,
            "n_validation": card.n_validation,
            "n_cut": card.n_cut,
            "n_trainable": made.n_trainable,
            "n_steps": made.n_steps,
            "best_epoch": made.best_epoch,
            **losses,
            "stopped": made.stopped,
            "seconds": round(made.seconds, 1),
            "peak_memory_mb": round(made.peak_bytes / 1e6, 1),
            "settings": dg.MetadataValue.json(card.settings.model_dump()),
            "curves": dg.MetadataValue.md(curves),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name=better,
                passed=trained.promoted,
                severity=dg.AssetCheckSeverity.ERROR,
                metadata=losses,
                description=None if trained.promoted else mend,
            )
        ],
    )
