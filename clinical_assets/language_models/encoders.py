"""Loading an encoder: a model whose token vectors are used, not its words. The one place that reads such weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clinical_assets.language_models.catalogue import ModelEntry
from clinical_assets.language_models.devices import Device
from clinical_assets.language_models.loading import ModelError, locate, model_revision

__all__ = ["LoadedEncoder", "encoder_dtype", "encoder_revision", "load_encoder_model", "pieces_at_once"]

_POSITIONS = 512  # where neither model nor tokenizer says how long a text may be


@dataclass
class LoadedEncoder:
    """Model and tokenizer of transformers, the revision of the files, the device (cpu, cuda, mps) and the number format."""

    model: Any
    tokenizer: Any
    revision: str
    device: str
    dtype: str

    def release(self) -> None:
        """Give its memory back."""
        import gc

        import torch

        self.model = None
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def encoder_revision(entry: ModelEntry) -> str:
    """Return what tells an encoder's weights from others, without loading them: a commit, or the digest of a folder's files.

    Raises
    ------
    ModelError
        If local files are missing or unsafe.
    """
    if entry.backend == "server":
        return f"server:{entry.model}" + (f"@{entry.revision}" if entry.revision else "")
    return model_revision(entry)


def encoder_dtype(entry: ModelEntry, device: Device) -> str:
    """Return the number format: the entry's, else bfloat16 on a GPU that has it, else float32 (exact, and the same everywhere)."""
    if entry.backend == "server":
        return "server"
    if entry.dtype != "auto":
        return entry.dtype
    return "bfloat16" if device.kind == "cuda" and device.bfloat16 else "float32"


def load_encoder_model(entry: ModelEntry, *, device: str = "cpu", dtype: str = "float32") -> LoadedEncoder:
    """Load an encoder with its tokenizer, which must be a fast one.

    Parameters
    ----------
    device, dtype
        As torch names them.

    Raises
    ------
    ModelError
        If files are missing, unsafe (pickles, code of their own) or incomplete.
    """
    import torch
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    place = locate(entry, None)
    revision = model_revision(entry, place)  # of the files: a folder has no commit
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(place, trust_remote_code=False)
        model, told = AutoModel.from_pretrained(
            place,
            output_loading_info=True,
            dtype=getattr(torch, dtype),
            trust_remote_code=False,
            use_safetensors=True,
            local_files_only=True,
        )
    except Exception as error:  # noqa: BLE001 - whatever the library raises, the user is told which model and what to do
        raise ModelError(
            f"encoder {entry.name!r}: {place} cannot be loaded ({type(error).__name__}: {str(error)[:300]})"
        ) from None
    lacking = sorted(name for name in told["missing_keys"] if "pooler" not in name)  # the pooler is not used
    if lacking:
        raise ModelError(
            f"encoder {entry.name!r}: {place} lacks {len(lacking)} of the model's tensors, among them {lacking[0]}, which would be "
            "random numbers; the download may be incomplete, or these are no weights of such an encoder"
        )
    if not tokenizer.is_fast:
        raise ModelError(f"encoder {entry.name!r}: {place} needs a fast tokenizer (tokenizer.json)")
    return LoadedEncoder(model.to(device).eval(), tokenizer, revision, device, dtype)


def pieces_at_once(model: Any, most: int | None = _POSITIONS) -> int:
    """Return the tokens, special ones among them, that one reading may have: what the model has positions for, at most `most`.

    What a sentence encoder's tokenizer allows (128 or 256) is a habit of its training, not a bound of the model; an unset
    model_max_length (1e30) is no bound either.
    """
    positions = int(getattr(model.config, "max_position_embeddings", _POSITIONS))
    if getattr(model.config, "model_type", "") in {"roberta", "xlm-roberta", "camembert"}:
        positions -= int(model.config.pad_token_id or 0) + 1  # positions are counted from behind the padding's
    return positions if most is None else min(positions, most)
