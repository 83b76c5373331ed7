"""The catalogue of models as data: what may be written about a model, read and validated from YAML."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from clinical_assets.language_models.embedding_settings import EmbeddingSettings
from clinical_assets.language_models.lora_settings import LoraSettings, preset_of

__all__ = [
    "ENTITIES_TASK",
    "EXTRACTIVE",
    "LABELS_TASK",
    "SHIPPED_CATALOGUE",
    "SUMMARIES_TASK",
    "Catalogue",
    "CatalogueError",
    "ModelEntry",
    "SummaryStage",
    "load_catalogue",
]

SHIPPED_CATALOGUE = Path(__file__).with_name("catalogue.yaml")

Task = Literal["labels", "summaries", "adapters", "embeddings", "prediction", "entities"]
LABELS_TASK: Task = "labels"  # yes/no questions about notes
SUMMARIES_TASK: Task = "summaries"
ENTITIES_TASK: Task = "entities"
SummaryStage = Literal["verbose", "compressed"]
EXTRACTIVE = "extractive"  # the summarizer without a model, whose stage 1 a model may compress


class CatalogueError(ValueError):
    """A catalogue that cannot be used; the message names file, entry, what was expected and how to mend it."""


class ModelEntry(BaseModel):
    """One model: where it comes from, how it is run, and what it is for."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$", description="names the asset, the pool slot and the labeller")
    description: str = Field(min_length=10, description="what the model is, in plain words")
    model: str | None = Field(None, min_length=1, description="Hugging Face id, folder, or the name a server knows")
    revision: str | None = Field(None, pattern=r"^[0-9a-f]{40}$", description="commit of the Hugging Face repository")
    recipe: str | None = Field(None, description="demo models: the recipe it is trained by (demo_models)")
    package: str | None = Field(
        None,
        pattern=r"^[a-z][a-z0-9_]*(/[A-Za-z0-9._-]+)*$",
        description="Python package, and the folder in it, with the weights",
    )
    backend: Literal["transformers", "server", "gguf"] = "transformers"
    gguf_file: str | None = Field(None, description="backend gguf: the file in the repository or folder")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    quantization: Literal["nf4"] | None = Field(None, description="nf4: 4-bit by bitsandbytes, double quantization")
    context_length: int = Field(gt=0, description="tokens: prompt, thought and answer together")
    parameters: float | None = Field(None, gt=0, description="parameters in billions, to foretell the memory needed")
    chat_template: str | None = Field(None, description="jinja file beside the catalogue; default the tokenizer's own")
    reasoning: bool = False
    max_thinking_tokens: int = Field(0, ge=0)
    decoding: Literal["schema_scoring", "constrained_generation"] = "schema_scoring"
    licence: str = Field(min_length=2, description="licence, and what it asks of the user")
    profile: Literal["demo", "gpu", "server"]
    tasks: list[Task] = ["labels"]
    summary_stages: list[SummaryStage] = Field(
        ["verbose", "compressed"],
        description="with task summaries: which stages it writes, verbose, compressed or both",
    )
    compresses: str | None = Field(
        None,
        description="whose stage 1 it compresses: a model's name, or extractive; default the first other model that writes stage 1",
    )
    summary_adapter: Literal["none", "required"] = Field(
        "none", description="required: it writes stage 1 with its promoted adapter for summaries, or not at all"
    )
    embedding: EmbeddingSettings | None = Field(None, description="task embeddings: how a text becomes a vector")
    lora: str = Field("recommended", description="preset (lora_settings) that its adapters are trained by")
    server_url: str | None = Field(None, pattern=r"^https?://", description="backend server: base URL, up to /v1")
    api_key_variable: str | None = Field(None, pattern=r"^[A-Z][A-Z0-9_]*$", description="variable with the API key")
    max_concurrency: int = Field(32, ge=1, le=1024, description="backend server: requests in flight at most")
    timeout_seconds: float = Field(120.0, gt=0, description="backend server: time for one answer")

    @field_validator("lora")
    @classmethod
    def _known_preset(cls, name: str) -> str:
        preset_of(name)
        return name

    @model_validator(mode="after")
    def _consistent(self) -> ModelEntry:
        if [self.recipe, self.model, self.package].count(None) != 2:
            raise ValueError(
                "give either model (weights that exist) or recipe (a demo model to be trained), or package"
            )
        if (self.embedding is None) == ("embeddings" in self.tasks):
            raise ValueError("task embeddings and the block embedding (dimension, pooling, ...) go together")
        if self.quantization and self.embedding:
            raise ValueError("an encoder is not loaded in 4 bits; give dtype bfloat16, or let a server quantize it")
        if self.backend == "gguf" and self.embedding:
            raise ValueError("embeddings are for backends transformers and server; let a server run the gguf file")
        if self.backend == "gguf" and not self.gguf_file:
            raise ValueError("backend gguf needs gguf_file")
        if self.backend == "server" and not self.server_url:
            raise ValueError("backend server needs server_url")
        if self.quantization and self.backend != "transformers":
            raise ValueError("quantization is for backend transformers; a gguf file or a server brings its own")
        if self.reasoning != bool(self.max_thinking_tokens):
            raise ValueError("reasoning models need max_thinking_tokens above 0, others none")
        if self.recipe and (self.profile != "demo" or self.backend != "transformers"):
            raise ValueError("a recipe is for profile demo and backend transformers")
        if self.recipe and SUMMARIES_TASK in self.tasks:
            raise ValueError("a recipe is trained to answer yes or no; it writes no summaries")
        if not self.summary_stages or len(set(self.summary_stages)) != len(self.summary_stages):
            raise ValueError("summary_stages: give verbose, compressed or both, each once")
        if self.summary_adapter == "required" and "adapters" not in self.tasks:
            raise ValueError("summary_adapter: required needs task adapters, by which the adapter is trained")
        return self

    @model_validator(mode="after")
    def _may_list(self) -> ModelEntry:
        if ENTITIES_TASK in self.tasks and (self.backend == "server" or self.reasoning or self.recipe):
            raise ValueError("task entities is for local models that write freely, and do not think before they answer")
        return self

    @property
    def labeller(self) -> str:
        """How the model is named in label tables."""
        return f"llm_{self.name}"

    @property
    def adapted_labeller(self) -> str:
        """How the model with an adapter is named in label tables."""
        return f"{self.labeller}_lora"

    @property
    def lora_settings(self) -> LoraSettings:
        """How its adapters are trained."""
        return preset_of(self.lora)

    def template_text(self) -> str:
        """Return the chat template that replaces the tokenizer's own; empty for none, or if it cannot be read (loading says so)."""
        if self.chat_template is None:
            return ""
        try:
            return Path(self.chat_template).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return ""

    @property
    def full_decoding(self) -> str:
        """How its answers are read: part of a label's identity."""
        method = "server_json_schema" if self.backend == "server" else self.decoding
        return f"think_{self.max_thinking_tokens}+{method}" if self.reasoning else method


class Catalogue(BaseModel):
    """All models, in the order of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    models: Annotated[list[ModelEntry], Field(min_length=1)]

    @model_validator(mode="after")
    def _names_differ(self) -> Catalogue:
        names = [entry.name for entry in self.models]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"duplicate model names: {', '.join(twice)}; every model needs a name of its own")
        taken = sorted({f"{name}_lora" for name in names} & set(names))
        if taken:
            raise ValueError(
                f"{', '.join(taken)}: the name stands for {taken[0][:-5]} with its adapter; choose another"
            )
        return self

    @model_validator(mode="after")
    def _compressed_is_written(self) -> Catalogue:
        known = [EXTRACTIVE, *(entry.name for entry in self.writing("verbose"))]
        for entry in self.models:
            if entry.compresses is not None and entry.compresses not in known:
                raise ValueError(
                    f"{entry.name}: compresses {entry.compresses!r}, which writes no stage 1; known: {', '.join(known)}"
                )
        return self

    def writing(self, stage: SummaryStage) -> list[ModelEntry]:
        """Return the models that write a stage of the summaries."""
        return [entry for entry in self.for_task(SUMMARIES_TASK) if stage in entry.summary_stages]

    def compressed_by(self, entry: ModelEntry) -> str:
        """Return whose stage 1 a model compresses: another's where there is one, its own, or else the extractive one."""
        verbose = [other.name for other in self.writing("verbose")]
        others = [name for name in verbose if name != entry.name]
        return entry.compresses or next(iter([*others, *verbose]), EXTRACTIVE)

    def entry(self, name: str) -> ModelEntry:
        """Return the model of that name; CatalogueError names the known ones."""
        for entry in self.models:
            if entry.name == name:
                return entry
        known = ", ".join(entry.name for entry in self.models)
        raise CatalogueError(f"no model {name!r} in the catalogue; known: {known}")

    def for_task(self, *tasks: Task) -> list[ModelEntry]:
        """Return the models that are offered for a task, or for several at once."""
        return [entry for entry in self.models if set(tasks) <= set(entry.tasks)]


def load_catalogue(path: Path | None = None) -> Catalogue:
    """Read a catalogue.

    Parameters
    ----------
    path
        YAML file; None for the shipped one.

    Raises
    ------
    CatalogueError
        If the file is missing, is not YAML, or an entry is wrong: the path of every error and what is allowed.
    """
    import yaml

    source = path or SHIPPED_CATALOGUE
    try:
        raw: Any = yaml.safe_load(source.read_text(encoding="utf-8"))
    except OSError as error:
        raise CatalogueError(
            f"{source}: cannot be read ({error.strerror}); set CLINICAL_CATALOGUE to a YAML file or unset it"
        ) from None
    except UnicodeDecodeError as error:
        raise CatalogueError(f"{source}: byte {error.start + 1} is not UTF-8; save the file as UTF-8") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}" if mark else ""
        raise CatalogueError(f"{source}:{where} is not YAML: {getattr(error, 'problem', 'unreadable')}") from None
    try:
        read = Catalogue.model_validate(raw)
    except ValidationError as error:
        lines = [f"{source}: {error.error_count()} error(s)"]
        for item in error.errors(include_url=False, include_input=False):
            fields = ModelEntry.model_fields if len(item["loc"]) > 1 else Catalogue.model_fields
            allowed = f"; allowed: {', '.join(fields)}" if item["type"] == "extra_forbidden" else ""
            lines.append(f"  {_place(raw, item['loc'])}: {item['msg']}{allowed}")
        raise CatalogueError("\n".join(lines)) from None
    beside = [
        entry.model_copy(update={"chat_template": str(source.parent / entry.chat_template)})
        if entry.chat_template
        else entry
        for entry in read.models
    ]
    return Catalogue(models=beside)


def _place(raw: Any, path: Sequence[str | int]) -> str:
    """Return where an error is: the path in the file, and the name of the model that is there."""
    place = ".".join(map(str, path)) or "top level"
    try:
        return f"{place} ({raw['models'][path[1]]['name']})"
    except (LookupError, TypeError):
        return place
