"""From a catalogue entry to something that encodes: on this machine, or behind a server."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from clinical_assets.language_models.catalogue import ModelEntry
from clinical_assets.language_models.devices import Device, footprint_of, refuse_if_too_large
from clinical_assets.language_models.encoders import encoder_dtype, load_encoder_model
from clinical_assets.language_models.loading import ModelError, locate
from clinical_assets.language_models.opening import api_key
from clinical_assets.language_models.server_embeddings import ServerEncoder
from clinical_assets.language_models.text_vectors import Encodes, LocalEncoder

__all__ = ["open_encoder"]


@contextlib.contextmanager
def open_encoder(
    entry: ModelEntry, device: Device, *, log: Callable[[str], None] = lambda line: None
) -> Iterator[Encodes]:
    """Open an encoder of the catalogue; its memory, or its connections, are given back at the end.

    Raises
    ------
    ModelError, ServerError
        If it cannot be used: which, why, and what to do.
    """
    if entry.backend == "server":
        yield ServerEncoder(entry, api_key=api_key(entry), log=log)
        return
    refuse_if_too_large(entry, footprint_of(entry, locate(entry, None), device), device, ModelError)
    loaded = load_encoder_model(entry, device=device.kind, dtype=encoder_dtype(entry, device))
    try:
        yield LocalEncoder(entry, loaded, log=log)
    finally:
        loaded.release()
