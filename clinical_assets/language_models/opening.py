"""From a catalogue entry to a backend that answers: the one place that knows which backends there are."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from clinical_assets.language_models.adapter_store import check_prompt, read_card
from clinical_assets.language_models.answers import AnswerSchema, Backend
from clinical_assets.language_models.catalogue import ModelEntry
from clinical_assets.language_models.devices import Device, allocated, find_device, peak_memory, resident_peak
from clinical_assets.language_models.loading import ModelError, load_model, model_revision, release
from clinical_assets.language_models.local import LocalBackend
from clinical_assets.language_models.prompts import Prompt
from clinical_assets.language_models.server import ServerBackend

__all__ = ["Usage", "api_key", "backend_revision", "open_backend", "refuse_server_adapter"]


@dataclass
class Usage:
    """What a model took: device, peak memory in bytes (of this process so far; None for a server), seconds to load.

    `resident_bytes` is the peak of the process's own memory; `left_bytes` what is still allocated on a GPU after the model was
    released. None where nothing was measured.
    """

    device: str = "none"
    peak_bytes: int | None = None
    load_seconds: float = 0.0
    n_passes: int = 0
    resident_bytes: int | None = None
    left_bytes: int | None = None

    def measure(self, device: Device) -> None:
        """Measure what is left after a model was released."""
        self.resident_bytes, self.left_bytes = resident_peak(), allocated(device)


def backend_revision(entry: ModelEntry, folder: Path | None) -> str:
    """Return what tells the weights from others; for a server the name it goes by, which is all that is known of it.

    Raises
    ------
    ModelError
        If local weights are missing or unsafe.
    """
    if entry.backend == "server":
        return f"server:{entry.model}" + (f"@{entry.revision}" if entry.revision else "")
    return model_revision(entry, folder)


@contextlib.contextmanager
def open_backend(
    entry: ModelEntry,
    schema: AnswerSchema,
    prompt: Prompt,
    *,
    folder: Path | None = None,
    adapter: Path | None = None,
    device: str = "auto",
    log: Callable[[str], None] = lambda line: None,
    usage: Usage | None = None,
    plain_yes_no: bool = False,
) -> Iterator[Backend]:
    """Open a model for one question; its memory is released at the end.

    Parameters
    ----------
    folder
        Where a demo model's weights are; None for what the entry names.
    adapter
        Folder of a trained adapter that goes on top of the weights; None for the base.
    device
        auto, cpu, cuda or mps.
    usage
        Filled in at the end.
    plain_yes_no
        Of a server and one field: a plain yes or no counts where no JSON can be read, and what was written is kept.

    Raises
    ------
    ModelError, DeviceError, ServerError
        If the model cannot be used: which, why, and what to do.
    """
    spent = usage if usage is not None else Usage()
    if adapter is not None:
        refuse_server_adapter(entry)
        check_prompt(adapter, read_card(adapter), prompt.sha256)  # the rest of it is checked where it is loaded
    if entry.backend == "server":
        server = ServerBackend(
            entry,
            schema,
            prompt,
            base_url=entry.server_url or "",
            api_key=api_key(entry),
            log=log,
            plain_yes_no=plain_yes_no,
        )
        spent.device = "server"
        try:
            yield server
        finally:
            server.close()
        return
    started = time.monotonic()
    where: Device = find_device(device)
    loaded = load_model(entry, where, folder=folder, adapter=adapter, log=log)
    try:
        backend = LocalBackend(loaded, entry, schema, prompt, log=log)
        spent.device, spent.load_seconds = where.kind, round(time.monotonic() - started, 3)
        yield backend
        spent.n_passes, spent.peak_bytes = backend.n_passes, peak_memory(where)
        backend.close()
    finally:
        release(loaded)


def refuse_server_adapter(entry: ModelEntry) -> None:
    """Raise ModelError if the model is behind a server, on which no adapter can be put from here."""
    if entry.backend == "server":
        raise ModelError(
            f"model {entry.name!r}: an adapter cannot be put on a server's model from here; let the server load it "
            "(vLLM: --lora-modules) and name it as model in a catalogue entry of its own"
        )


def api_key(entry: ModelEntry) -> str | None:
    """Return the API key of a server; None where the entry names no variable. ModelError if the variable is not set."""
    if entry.api_key_variable is None:
        return None
    key = os.environ.get(entry.api_key_variable)
    if not key:
        raise ModelError(
            f"model {entry.name!r}: the variable {entry.api_key_variable} with the server's API key is not set"
        )
    return key
