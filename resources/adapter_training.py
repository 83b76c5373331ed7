"""What a step says of an adapter that it trained: numbers, curves, and whether it is better than its base."""

import dagster as dg

from clinical_assets.language_models.promotion import PromotedAdapter

__all__ = ["training_result"]


def training_result(trained: PromotedAdapter, curves: str, better: str, mend: str) -> dg.MaterializeResult:
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
