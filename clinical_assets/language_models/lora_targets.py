"""Which modules of a model get an adapter: a pattern that matches linear modules of the language layers and nothing else."""

from __future__ import annotations

import re
from typing import Any

from clinical_assets.language_models.loading import ModelError
from clinical_assets.language_models.lora_settings import LoraSettings

__all__ = ["n_adapter_parameters", "target_modules", "target_pattern"]

# How families name the projections of attention; some have query, key and value in one module.
_QUERY_VALUE = ({"q_proj", "v_proj"}, {"qkv_proj"}, {"query_key_value"}, {"Wqkv"})
_ATTENTION = (
    {"q_proj", "k_proj", "v_proj", "o_proj"},
    {"qkv_proj", "o_proj"},
    {"query_key_value", "dense"},
    {"Wqkv", "out_proj"},
)


def target_pattern(model: Any, settings: LoraSettings, name: str) -> str:
    """Return the regular expression (of whole module names) for `settings.target` in a model.

    Layers are looked for in the model's decoder: towers for pictures or sound, which also have q_proj, stay as they are.

    Raises
    ------
    ModelError
        If the model has no such modules; those that it has are named.
    """
    place, endings = _layers(model, name)
    wanted = settings.target
    if wanted == "all_linear":
        chosen = endings
    elif wanted == "attention_qv":
        chosen = next((group for group in _QUERY_VALUE if group <= endings), set())
    elif wanted == "attention":
        chosen = next((group for group in _ATTENTION if group <= endings), set())
    else:
        chosen = set(wanted) if set(wanted) <= endings else set()
    if not chosen:
        said = wanted if isinstance(wanted, str) else ", ".join(wanted)
        raise ModelError(
            f"model {name!r}: target {said} is not in its language layers; their linear modules are "
            f"{', '.join(sorted(endings))}: name endings of these as target"
        )
    return rf"{re.escape(place)}\.\d+\..*\b({'|'.join(sorted(chosen))})"


def target_modules(model: Any, pattern: str) -> dict[str, tuple[int, int]]:
    """Return name -> (inputs, outputs) of the linear modules that a pattern matches."""
    from torch.nn import Linear

    found = {}
    for name, module in model.named_modules():
        if isinstance(module, Linear) and re.fullmatch(pattern, name):
            found[name] = (module.in_features, module.out_features)
    return found


def n_adapter_parameters(modules: dict[str, tuple[int, int]], rank: int) -> int:
    """Return the parameters of an adapter: rank x (inputs + outputs) a module."""
    return sum(rank * (inputs + outputs) for inputs, outputs in modules.values())


def _layers(model: Any, name: str) -> tuple[str, set[str]]:
    """Return the name of the decoder's list of layers, and the endings of its linear modules' names."""
    from torch.nn import Linear, ModuleList

    decoder = model.get_decoder()
    layers = getattr(decoder, "layers", None)
    place = next((path for path, module in model.named_modules() if module is layers), None)
    if not isinstance(layers, ModuleList) or place is None:
        raise ModelError(
            f"model {name!r}: {type(model).__name__} has no list of decoder layers where other models have it, so there is no "
            "telling language layers from others; choose another architecture"
        )
    endings = {path.rpartition(".")[2] for path, module in layers.named_modules() if isinstance(module, Linear)}
    return place, endings
