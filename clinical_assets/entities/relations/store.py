"""The model of relations on disk: LightGBM text, one JSON card, the weights of hashed words as safetensors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from clinical_assets.entities.relations.model import RelationModel
from clinical_assets.storage.content_folder import FolderError
from clinical_assets.storage.model_folder import load_model_files, promoted_model, save_model_files

__all__ = ["FOLDER", "NO_MODEL", "load_relation_model", "relation_model_name", "save_relation_model"]

FOLDER = "entities_relations"  # below the folder of models
NO_MODEL = "none"  # what relations name where nothing decided
_FORMAT = 1


def relation_model_name(digest: str | None) -> str:
    """Return how relations name the model that decided."""
    return f"lightgbm@{digest}" if digest else NO_MODEL


def save_relation_model(models: Path, model: RelationModel) -> str:
    """Write a model below the folder of models, put it in use, and return its digest."""
    from safetensors.numpy import save

    card = {
        "format": _FORMAT,
        "names": list(model.names),
        "intercept": model.intercept,
        "threshold": model.threshold,
        "n_trees": len(model.trees),
        "card": dict(model.card),
    }
    files = {f"trees_{i}.lgb": text.encode() for i, text in enumerate(model.trees)}
    files["model.json"] = json.dumps(card, sort_keys=True, indent=1).encode()
    files["words.safetensors"] = save({"index": model.bucket_index, "weight": model.bucket_weight})
    return save_model_files(models / FOLDER, files)


def load_relation_model(models: Path, digest: str | None = None) -> tuple[str, RelationModel] | None:
    """Return digest and model, of the one in use unless a digest is given; None where none was ever trained.

    Raises
    ------
    FolderError
        If it cannot be used: gone, changed, or of another format.
    """
    from safetensors.numpy import load

    wanted = digest or promoted_model(models / FOLDER)
    if wanted is None:
        return None
    files = load_model_files(models / FOLDER, wanted)
    try:
        card = json.loads(files["model.json"])
        if card["format"] != _FORMAT:
            raise FolderError(
                f"relation model {wanted} has format {card['format']}, this version reads {_FORMAT}: "
                "materialize entities/relation_model"
            )
        words = load(files["words.safetensors"])
        model = RelationModel(
            tuple(card["names"]),
            words["index"].astype(np.int64),
            words["weight"],
            float(card["intercept"]),
            tuple(files[f"trees_{i}.lgb"].decode() for i in range(card["n_trees"])),
            float(card["threshold"]),
            card["card"],
        )
    except KeyError as error:
        raise FolderError(f"relation model {wanted} lacks {error}: materialize entities/relation_model") from None
    return wanted, model
