"""The catalogue: what may be written in it, and what is said of everything else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from clinical_assets.language_models.catalogue import CatalogueError, ModelEntry, load_catalogue
from clinical_assets.language_models.lora_settings import PRESETS
from tests.unit.language_models import tiny_models as tiny

GOOD: dict[str, Any] = {
    "name": "small",
    "description": "a small model",
    "model": "org/small",
    "context_length": 2048,
    "licence": "MIT",
    "profile": "gpu",
}
SERVER = {"backend": "server", "server_url": "http://localhost:8000/v1", "profile": "server"}
EMBEDS = {"tasks": ["embeddings"], "embedding": {"dimension": 8}}


def load(tmp_path: Path, *entries: dict[str, Any], top: dict[str, Any] | None = None) -> Any:
    path = tmp_path / "catalogue.yaml"
    entries = entries or (GOOD,)
    path.write_text(yaml.safe_dump({"models": list(entries)} | (top or {})), encoding="utf-8")
    return load_catalogue(path)


def refusal(tmp_path: Path, *entries: dict[str, Any], top: dict[str, Any] | None = None) -> str:
    with pytest.raises(CatalogueError) as caught:
        load(tmp_path, *entries, top=top)
    assert str(tmp_path / "catalogue.yaml") in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("changed", "messages"),
    [
        ({"recipe": "trained"}, ["give either model (weights that exist) or recipe"]),
        ({"model": None}, ["give either model (weights that exist) or recipe"]),
        ({"backend": "gguf"}, ["backend gguf needs gguf_file"]),
        ({"backend": "server", "profile": "server"}, ["backend server needs server_url"]),
        ({"backend": "vllm"}, ["backend", "'transformers', 'server' or 'gguf'"]),
        ({"quantization": "int8"}, ["quantization", "'nf4'"]),
        (
            {"quantization": "nf4", "backend": "gguf", "gguf_file": "a.gguf"},
            ["quantization is for backend transformers"],
        ),
        ({"quantization": "nf4", **SERVER}, ["quantization is for backend transformers"]),
        ({"reasoning": True}, ["reasoning models need max_thinking_tokens above 0, others none"]),
        ({"max_thinking_tokens": 10}, ["reasoning models need max_thinking_tokens above 0, others none"]),
        ({"model": None, "recipe": "x"}, ["a recipe is for profile demo and backend transformers"]),
        ({"name": "Small-1"}, ["name", "pattern"]),
        ({"revision": "main"}, ["revision", "pattern"]),
        ({"dtype": "int8"}, ["dtype", "'auto', 'float32', 'bfloat16' or 'float16'"]),
        ({"context_length": 0}, ["context_length", "greater than 0"]),
        ({"profile": "laptop"}, ["profile", "'demo', 'gpu' or 'server'"]),
        ({"tasks": ["poems"]}, ["tasks.0", "'labels', 'summaries'"]),
        ({"decoding": "free"}, ["decoding", "'schema_scoring' or 'constrained_generation'"]),
        ({"tasks": ["embeddings"]}, ["task embeddings and the block embedding"]),
        ({"embedding": {"dimension": 8}}, ["task embeddings and the block embedding"]),
        ({**EMBEDS, "quantization": "nf4"}, ["an encoder is not loaded in 4 bits"]),
        ({**EMBEDS, "backend": "gguf", "gguf_file": "a.gguf"}, ["embeddings are for backends transformers and server"]),
        ({**EMBEDS, "embedding": {"dimension": 0}}, ["embedding.dimension", "greater than 0"]),
        (
            {**EMBEDS, "embedding": {"dimension": 8, "prefix": "{text}"}},
            ["the only place a prefix may have is {instruction}"],
        ),
        ({**EMBEDS, "embedding": {"dimension": 8, "pooling": "max"}}, ["'mean', 'cls' or 'last_token'"]),
        ({"package": "weights/model"}, ["give either model (weights that exist) or recipe"]),
        ({**SERVER, "server_url": "localhost"}, ["server_url", "pattern"]),
        ({**SERVER, "api_key_variable": "sk-secret"}, ["api_key_variable", "pattern"]),
        (
            {"trust_remote_code": True},
            ["trust_remote_code", "Extra inputs", "allowed: name, description, model, revision"],
        ),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_a_wrong_entry_is_refused_with_its_place(tmp_path: Path, changed: dict[str, Any], messages: list[str]) -> None:
    told = refusal(tmp_path, GOOD | {"name": "first"}, GOOD | changed)
    assert "1 error(s)" in told
    assert "models.1" in told
    assert f"({(GOOD | changed)['name']})" in told
    for message in messages:
        assert message in told


@pytest.mark.parametrize("missing", ["name", "description", "context_length", "licence", "profile"])
def test_what_every_entry_needs(tmp_path: Path, missing: str) -> None:
    told = refusal(tmp_path, {key: value for key, value in GOOD.items() if key != missing})
    assert f"models.0.{missing}" in told
    assert "Field required" in told


def test_every_error_is_told_at_once(tmp_path: Path) -> None:
    told = refusal(tmp_path, GOOD | {"dtype": "int8", "colour": "red"}, GOOD | {"name": "b", "profile": "x"})
    assert "3 error(s)" in told
    assert "models.0.dtype (small)" in told
    assert "models.0.colour (small)" in told
    assert "models.1.profile (b)" in told


def test_names_differ(tmp_path: Path) -> None:
    told = refusal(tmp_path, GOOD, GOOD, GOOD | {"name": "other"})
    assert "duplicate model names: small; every model needs a name of its own" in told


def test_an_unknown_key_at_the_top_is_told_what_the_top_allows(tmp_path: Path) -> None:
    told = refusal(tmp_path, top={"modles": []})
    assert "modles: Extra inputs are not permitted; allowed: models" in told
    assert "description" not in told


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"models:\n  - name: [a\n", " line 3 is not YAML: "),
        (b"models: \x00", "is not YAML"),
        (b"\xff\xfe", "byte 1 is not UTF-8"),
        (b"", "top level: Input should be a valid dictionary"),
        (b"- a", "top level: Input should be a valid dictionary"),
        (b"models: []", "models: List should have at least 1 item"),
        (b"models: 3", "models: Input should be a valid list"),
        (b"models: [3]", "models.0: Input should be a valid dictionary"),
    ],
)
def test_a_file_that_is_no_catalogue_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_bytes(content)
    with pytest.raises(CatalogueError) as caught:
        load_catalogue(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_told_with_the_variable(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(
            CatalogueError, match=r"cannot be read \(.*set CLINICAL_CATALOGUE to a YAML file or unset it"
        ):
            load_catalogue(path)


def test_entries_are_found_by_name_and_by_task(tmp_path: Path) -> None:
    catalogue = load(tmp_path, GOOD, GOOD | {"name": "b", "tasks": ["summaries"]}, GOOD | {"name": "c", "tasks": []})
    assert catalogue.entry("b").name == "b"
    assert [entry.name for entry in catalogue.for_task("labels")] == ["small"]
    assert [entry.name for entry in catalogue.for_task("summaries")] == ["b"]
    with pytest.raises(CatalogueError, match="no model 'd' in the catalogue; known: small, b, c"):
        catalogue.entry("d")


def test_a_chat_template_is_found_beside_the_catalogue(tmp_path: Path) -> None:
    elsewhere = str(tmp_path / "elsewhere" / "x.jinja")
    catalogue = load(
        tmp_path,
        GOOD | {"chat_template": "x.jinja"},
        GOOD | {"name": "b", "chat_template": elsewhere},
        GOOD | {"name": "c"},
    )
    found = [entry.chat_template for entry in catalogue.models]
    assert found == [str(tmp_path / "x.jinja"), elsewhere, None]


def test_how_labels_are_named() -> None:
    plain = ModelEntry(**GOOD)
    assert (plain.labeller, plain.full_decoding) == ("llm_small", "schema_scoring")
    thinking = ModelEntry(**GOOD, reasoning=True, max_thinking_tokens=50, decoding="constrained_generation")
    assert thinking.full_decoding == "think_50+constrained_generation"


def test_a_valid_entry_of_every_kind(tmp_path: Path) -> None:
    kinds = [
        GOOD,
        GOOD | {"name": "b", "backend": "gguf", "gguf_file": "a.gguf"},
        GOOD | {"name": "c", **SERVER, "api_key_variable": "KEY"},
        GOOD | {"name": "d", "quantization": "nf4", "reasoning": True, "max_thinking_tokens": 9, "revision": "a" * 40},
        {k: v for k, v in GOOD.items() if k != "model"} | {"name": "e", "recipe": "r", "profile": "demo"},
        GOOD | {"name": "f", **EMBEDS},
        {k: v for k, v in GOOD.items() if k != "model"} | {"name": "g", "package": "weights/model", **EMBEDS},
    ]
    assert [entry.name for entry in load(tmp_path, *kinds).models] == ["small", "b", "c", "d", "e", "f", "g"]


def test_a_preset_for_adapters_is_one_that_there_is() -> None:
    with pytest.raises(ValidationError, match="no preset 'best' for lora; known: recommended, demo, seed_ehr"):
        tiny.entry(lora="best")
    shipped = load_catalogue()
    assert shipped.entry("openhermes_mistral_7b").lora_settings.rank == 8
    assert shipped.entry("medgemma_4b").lora == "seed_ds"
    assert {entry.lora for entry in shipped.for_task("adapters")} <= set(PRESETS)
    assert shipped.entry("demo_mistral") in shipped.for_task("adapters")
