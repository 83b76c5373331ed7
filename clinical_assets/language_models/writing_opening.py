"""From a catalogue entry to a writer of texts: the same models as in `opening`, asked for text instead of yes or no."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from clinical_assets.language_models.adapter_store import check_prompt, read_card
from clinical_assets.language_models.catalogue import ModelEntry
from clinical_assets.language_models.decoding import Decoding
from clinical_assets.language_models.devices import find_device, peak_memory, start_of_peak
from clinical_assets.language_models.loading import ModelError, load_model, release
from clinical_assets.language_models.opening import Usage, api_key, refuse_server_adapter
from clinical_assets.language_models.prompts import Prompt
from clinical_assets.language_models.server_writing import ServerWriter
from clinical_assets.language_models.texts import Writer
from clinical_assets.language_models.writing import LocalWriter

__all__ = ["open_writer"]


@contextlib.contextmanager
def open_writer(
    entry: ModelEntry,
    decoding: Decoding,
    *,
    folder: Path | None = None,
    adapter: Path | None = None,
    prompt: Prompt | None = None,
    device: str = "auto",
    log: Callable[[str], None] = lambda line: None,
    usage: Usage | None = None,
) -> Iterator[Writer]:
    """Open a model to write with; its memory is released at the end, and `usage` says how much was held and is still.

    Parameters
    ----------
    folder
        Where its weights are; None for what the entry names.
    adapter
        Folder of a trained adapter that goes on top of the weights, trained with `prompt`; None for the base.
    device
        auto, cpu, cuda or mps.

    Raises
    ------
    ModelError, DeviceError, ServerError
        If the model, or its adapter, cannot be used: which, why, and what to do.
    """
    spent = usage if usage is not None else Usage()
    if adapter is not None:
        refuse_server_adapter(entry)
        card = read_card(adapter)
        if prompt is not None:
            check_prompt(adapter, card, prompt.sha256)
    if entry.backend == "server":
        server = ServerWriter(entry, decoding, base_url=entry.server_url or "", api_key=api_key(entry), log=log)
        spent.device = "server"
        try:
            yield server
        finally:
            server.close()
        return
    if entry.recipe:
        raise ModelError(f"model {entry.name!r}: demo models of a recipe answer yes or no and write no texts")
    started, where = time.monotonic(), find_device(device)
    start_of_peak(where)
    loaded = load_model(entry, where, folder=folder, adapter=adapter, log=log)
    writer = None
    try:
        writer = LocalWriter(loaded, entry, decoding, log=log)
        spent.device, spent.load_seconds = where.kind, round(time.monotonic() - started, 3)
        yield writer
    finally:
        if writer is not None:
            writer.close()
        spent.peak_bytes = peak_memory(where)
        release(loaded)
        spent.measure(where)
