"""Loading a model, and what is said of every folder that holds none."""

from __future__ import annotations

import ast
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import clinical_assets.language_models as package
from clinical_assets.language_models.devices import Device
from clinical_assets.language_models.loading import ModelError, load_model, model_revision, release
from tests.unit.language_models import tiny_models as tiny

CPU = Device("cpu", "CPU", 10**11, False)
TOKENS = [5, 200, 17, 300, 42]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("saved") / "model"
    tiny.model("mistral").save_pretrained(place)
    tiny.tokenizer().save_pretrained(place)
    return place


@pytest.fixture
def place(saved: Path, tmp_path: Path) -> Path:
    """A copy that may be spoilt."""
    return Path(shutil.copytree(saved, tmp_path / "model"))


def load(place: Path | str, **options: Any) -> Any:
    return load_model(tiny.entry(model=str(place), **options), CPU)


def refusal(place: Path | str, **options: Any) -> str:
    """The message; it names the model and the place."""
    with pytest.raises(ModelError) as caught:
        load(place, **options)
    told = str(caught.value)
    assert "model 'tiny'" in told
    assert str(place) in told
    return told


def edit(file: Path, **changed: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changed))


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_a_saved_model_is_the_model(family: str, tmp_path: Path) -> None:
    model, tokenizer = tiny.model(family), tiny.tokenizer()
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    lines: list[str] = []
    loaded = load_model(tiny.entry(model=str(tmp_path)), CPU, log=lines.append)
    assert torch.equal(tiny.plain_logits(loaded.model, TOKENS), tiny.plain_logits(model, TOKENS))
    assert not loaded.model.training
    assert loaded.device == "cpu"
    assert loaded.model.config._attn_implementation == "sdpa"  # the masks of a session are made for it
    assert loaded.bytes_ == 4 * sum(p.numel() for p in model.parameters())
    assert loaded.tokenizer.chat_template == tokenizer.chat_template
    assert loaded.tokenizer("no leukaemia")["input_ids"] == tokenizer("no leukaemia")["input_ids"]
    assert lines == ["loading tiny: 0.00 GB of weights as float32 on cpu"]
    release(loaded)
    assert loaded.model is None
    assert loaded.tokenizer is None


def test_weights_in_several_files_and_another_type(place: Path) -> None:
    tiny.model("mistral").save_pretrained(place, max_shard_size="200KB")
    (place / "model.safetensors").unlink(missing_ok=True)
    assert len(list(place.glob("*.safetensors"))) > 1
    loaded = load(place, dtype="bfloat16")
    assert {p.dtype for p in loaded.model.parameters()} == {torch.bfloat16}
    assert (
        tiny.plain_logits(loaded.model, TOKENS) - tiny.plain_logits(tiny.model("mistral"), TOKENS)
    ).abs().max() < 0.2
    next(place.glob("model-00002*")).unlink()
    refusal(place)


def test_a_recipes_folder_comes_first(saved: Path, tmp_path: Path) -> None:
    entry = tiny.entry(model=None, recipe="trained")
    assert load_model(entry, CPU, folder=saved).model is not None
    with pytest.raises(ModelError, match=r"missing or empty; materialize the asset models/tiny, which trains it"):
        load_model(entry, CPU, folder=tmp_path / "none")


def test_missing_and_empty_folders(tmp_path: Path) -> None:
    for place in (tmp_path / "none", tmp_path):
        told = refusal(place)
        assert "is missing or empty; download it on a machine with network" in told
        assert "give a folder as model in the catalogue" in told


def test_weights_as_a_pickle_only(place: Path) -> None:
    (place / "model.safetensors").rename(place / "pytorch_model.bin")
    assert "weights in pytorch_model.bin only, a pickle, which can run code" in refusal(place)


def test_no_weights_at_all(place: Path) -> None:
    (place / "model.safetensors").unlink()
    assert "has no .safetensors file; download it" in refusal(place)


def test_no_configuration_or_half_of_one(place: Path) -> None:
    (place / "config.json").write_text('{"model_type": "mis')
    assert "is not JSON; the download may be incomplete" in refusal(place)
    (place / "config.json").unlink()
    assert "has no config.json; the download may be incomplete" in refusal(place)


def test_code_of_its_own_is_never_run(place: Path) -> None:
    edit(place / "config.json", auto_map={"AutoModelForCausalLM": "evil.Evil"})
    (place / "evil.py").write_text("raise SystemExit('run')")
    assert "wants to run code of its own (auto_map in config.json), which is never done" in refusal(place)


def test_an_unknown_architecture_is_refused(place: Path) -> None:
    edit(place / "config.json", model_type="nonesuch", architectures=["NonesuchForCausalLM"])
    assert "cannot be loaded (" in refusal(place)


def test_no_chat_template(place: Path) -> None:
    (place / "chat_template.jinja").unlink()
    assert "has no chat template, so there is no telling how it wants to be asked; name a jinja file" in refusal(place)
    template = place.parent / "own.jinja"
    template.write_text(tiny.THINKING)
    assert load(place, chat_template=str(template)).tokenizer.chat_template == tiny.THINKING


def test_a_chat_template_that_is_not_there(place: Path, tmp_path: Path) -> None:
    with pytest.raises(
        ModelError, match=r"model 'tiny': chat_template .*none\.jinja cannot be read \(No such file"
    ) as caught:
        load(place, chat_template=str(tmp_path / "none.jinja"))
    assert "from the folder of the catalogue" in str(caught.value)


def test_no_fast_tokenizer(place: Path) -> None:
    (place / "tokenizer.json").unlink()
    assert "tokenizer" in refusal(place)


def test_spoilt_weights(place: Path) -> None:
    file = place / "model.safetensors"
    whole = file.read_bytes()
    for spoilt in (whole[: len(whole) // 2], b"\0" * 1000, b"version https://git-lfs.github.com/spec/v1\n", b""):
        file.write_bytes(spoilt)
        assert "cannot be loaded (" in refusal(place)


def test_missing_tensors_are_not_made_up(place: Path) -> None:
    file = place / "model.safetensors"
    tensors = load_file(file)
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, file, {"format": "pt"})
    told = refusal(place)
    assert "lacks 1 of the model's tensors, among them model.layers.1.mlp.up_proj.weight" in told


def test_tensors_of_another_shape(place: Path) -> None:
    edit(place / "config.json", intermediate_size=256)
    assert "cannot be loaded (" in refusal(place)


def test_a_missing_gguf_file(place: Path) -> None:
    assert "has no file 'q4.gguf'; download it" in refusal(place, backend="gguf", gguf_file="q4.gguf")


def test_a_spoilt_gguf_file(place: Path) -> None:
    (place / "q4.gguf").write_bytes(b"GGUF nothing")
    assert "cannot be loaded (" in refusal(place, backend="gguf", gguf_file="q4.gguf")


def test_an_id_that_is_not_at_hand() -> None:
    assert os.environ["HF_HUB_OFFLINE"] == "1"
    told = refusal("nobody/none-such-model", revision="a" * 40)
    assert "no weights of nobody/none-such-model at hand (LocalEntryNotFoundError)" in told
    assert f"hf download nobody/none-such-model --revision {'a' * 40}" in told
    assert "is neither a folder nor a Hugging Face id" in refusal("not an/id at/all")


def test_a_model_too_large_for_the_device_is_refused_before_it_is_read(place: Path) -> None:
    (place / "model.safetensors").write_bytes(b"\0" * 1000_000)
    with pytest.raises(ModelError, match=r"model 'tiny' needs about 0\.0 GB as float32 .* but CPU has 0\.0 GB free"):
        load_model(tiny.entry(model=str(place)), Device("cpu", "CPU", 1000, False))


def test_four_bits(tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes")
    dense = tiny.model("qwen2", initializer_range=0.1)
    dense.save_pretrained(tmp_path)
    tiny.tokenizer().save_pretrained(tmp_path)
    loaded = load(tmp_path, quantization="nf4", dtype="float32")
    kinds = {type(module).__name__ for module in loaded.model.model.layers.modules()}
    assert "Linear4bit" in kinds
    assert "Linear" not in kinds
    logits, exact = tiny.plain_logits(loaded.model, TOKENS), tiny.plain_logits(dense, TOKENS)
    assert torch.isfinite(logits).all()
    assert 0 < (logits - exact).abs().mean() < exact.abs().mean() / 2
    assert torch.corrcoef(torch.stack([logits.flatten(), exact.flatten()]))[0, 1] > 0.9
    assert loaded.bytes_ < 4 * sum(p.numel() for p in dense.parameters())


def test_a_pinned_commit_needs_no_file() -> None:
    entry = tiny.entry(model="nobody/none-such-model", revision="b" * 40)
    assert model_revision(entry) == "b" * 40
    assert model_revision(entry.model_copy(update={"quantization": "nf4"})) == "b" * 40 + "+nf4"
    with pytest.raises(ModelError, match="at hand"):
        model_revision(entry.model_copy(update={"revision": None}))


def test_the_revision_of_a_folder_is_its_content(place: Path) -> None:
    entry = tiny.entry(model=str(place))
    first = model_revision(entry)
    assert len(first) == 40
    weights = place / "model.safetensors"
    os.utime(weights, (1, 1))
    (place / "README.md").write_text("words")
    assert model_revision(entry) == first
    assert model_revision(entry.model_copy(update={"quantization": "nf4"})) == f"{first}+nf4"
    # A commit that is pinned says nothing of a folder that a recipe made.
    assert model_revision(entry.model_copy(update={"revision": "c" * 40}), folder=place) == first

    def changed(file: Path, content: bytes) -> str:
        before = file.read_bytes()
        file.write_bytes(content)
        now = model_revision(entry)
        file.write_bytes(before)
        return now

    spoilt = bytearray(weights.read_bytes())
    spoilt[-1] ^= 1
    seen = [first, changed(weights, bytes(spoilt))]
    others = [place / name for name in ("config.json", "tokenizer.json", "chat_template.jinja")]
    seen += [changed(file, file.read_bytes() + b" ") for file in others]
    assert len(set(seen)) == len(seen)
    assert model_revision(entry) == first
    weights.rename(place / "other.safetensors")
    assert model_revision(entry) != first


def test_code_from_a_repository_is_trusted_nowhere(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import transformers

    for file in Path(package.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "trust_remote_code":
                assert isinstance(node.value, ast.Constant)
                assert node.value.value is False
    trusted: list[Any] = []
    for name in ("AutoTokenizer", "AutoModelForCausalLM"):
        factory = getattr(transformers, name)
        original = factory.from_pretrained

        def noted(*args: Any, _original: Any = original, **options: Any) -> Any:
            trusted.append(options["trust_remote_code"])
            if "output_loading_info" in options:
                assert options["use_safetensors"] is True
            return _original(*args, **options)

        monkeypatch.setattr(factory, "from_pretrained", noted)
    load(place)
    assert trusted == [False, False]
