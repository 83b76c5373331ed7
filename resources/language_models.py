"""The models of the catalogue, opened on the device of this deployment."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import dagster as dg

from clinical_assets.language_models.adapter_store import adapter_folder
from clinical_assets.language_models.answers import AnswerSchema, Backend
from clinical_assets.language_models.catalogue import LABELS_TASK, SUMMARIES_TASK, ModelEntry
from clinical_assets.language_models.decoding import Decoding
from clinical_assets.language_models.demo_models.recipes import recipe_folder
from clinical_assets.language_models.opening import Usage, backend_revision, open_backend
from clinical_assets.language_models.prompts import Prompt
from clinical_assets.language_models.texts import Writer
from clinical_assets.language_models.writing_opening import open_writer
from resources.deployment import DeploymentResource
from resources.gpu import GpuResource

__all__ = ["LanguageModelsResource"]


class LanguageModelsResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Opens models one at a time; steps that use it stand in the pool `gpu`."""

    deployment: dg.ResourceDependency[DeploymentResource]
    gpu: dg.ResourceDependency[GpuResource]

    def folder(self, entry: ModelEntry, schema: AnswerSchema, prompt: Prompt) -> Path | None:
        """Return where a demo model's weights for this question are or will be; None for other models."""
        return recipe_folder(self.deployment.settings().models, entry, schema, prompt) if entry.recipe else None

    def revision(self, entry: ModelEntry, schema: AnswerSchema, prompt: Prompt) -> str:
        """Return what tells the weights from others, without loading them."""
        return backend_revision(entry, self.folder(entry, schema, prompt))

    def open(
        self,
        entry: ModelEntry,
        schema: AnswerSchema,
        prompt: Prompt,
        *,
        adapter: str | None = None,
        task: str = LABELS_TASK,
        folder: Path | None = None,
        plain_yes_no: bool = False,
        log: Callable[[str], None] = lambda line: None,
        usage: Usage | None = None,
    ) -> AbstractContextManager[Backend]:
        """Open a model for one question, with an adapter (its digest, and the task it was trained for) or without.

        `folder` is where a demo model's weights are if it was made for another question than this one.
        See :func:`clinical_assets.language_models.opening.open_backend`.
        """
        folder = folder or self.folder(entry, schema, prompt)
        wears = adapter_folder(self.deployment.settings().models, task, entry, adapter) if adapter else None
        return open_backend(
            entry,
            schema,
            prompt,
            folder=folder,
            adapter=wears,
            device=self.gpu.wanted,
            log=log,
            usage=usage,
            plain_yes_no=plain_yes_no,
        )

    def open_writer(
        self,
        entry: ModelEntry,
        decoding: Decoding,
        *,
        adapter: str = "",
        prompt: Prompt | None = None,
        log: Callable[[str], None] = lambda line: None,
        usage: Usage | None = None,
    ) -> AbstractContextManager[Writer]:
        """Open a model to write with, with an adapter for summaries (its digest) or without.

        See :func:`clinical_assets.language_models.writing_opening.open_writer`.
        """
        wears = adapter_folder(self.deployment.settings().models, SUMMARIES_TASK, entry, adapter) if adapter else None
        return open_writer(entry, decoding, adapter=wears, prompt=prompt, device=self.gpu.wanted, log=log, usage=usage)
