"""Training an adapter: what is asked is what is made, what is broken is refused, and what is there is not made again."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from clinical_assets.language_models import lora, lora_trainer
from clinical_assets.language_models.adapter_store import adapter_digest, check_adapter, read_card
from clinical_assets.language_models.answers import Request
from clinical_assets.language_models.devices import find_device
from clinical_assets.language_models.loading import ModelError, load_model, model_revision
from clinical_assets.language_models.lora_checks import refuse_other_adapter, refuse_other_arguments
from clinical_assets.language_models.lora_settings import PRESETS, LoraSettings
from clinical_assets.language_models.lora_targets import n_adapter_parameters, target_modules, target_pattern
from clinical_assets.language_models.opening import open_backend
from clinical_assets.language_models.prompts import Prompt
from clinical_assets.language_models.training_task import Example
from clinical_assets.privacy import StepError
from tests.unit.language_models import tiny_models as tiny
from tests.unit.language_models.lora_bench import SETTINGS, Labels, entry, notes, save_base, train

CPU = find_device("cpu")


@pytest.fixture(scope="module")
def base(tmp_path_factory: Any) -> Path:
    return save_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def trained(base: Path, tmp_path_factory: Any) -> tuple[lora.TrainedAdapter, list[str]]:
    lines: list[str] = []
    return train(tmp_path_factory.mktemp("models"), base, log=lines.append), lines


def short(**changed: Any) -> LoraSettings:
    return SETTINGS.model_copy(update={"epochs": 1, **changed})


def test_what_is_asked_is_what_is_made(trained: tuple[lora.TrainedAdapter, list[str]], base: Path) -> None:
    made, lines = trained
    folder = made.folder
    assert folder == folder.parents[1] / "adapters_labels_tiny" / made.digest[:16]
    assert sorted(item.name for item in folder.iterdir()) == [
        "README.md", "adapter_card.json", "adapter_config.json", "adapter_model.safetensors",
    ]  # fmt: skip
    assert [item.name for item in folder.parent.iterdir()] == [folder.name], "no training folder is left"
    config = json.loads((folder / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"], config["lora_dropout"], config["bias"]) == (4, 8.0, 0.1, "none")
    assert config["base_model_name_or_path"] == "tiny"
    assert (made.reused, made.stopped, len(made.history), made.n_steps) == (
        False,
        "finished",
        3,
        made.history[-1]["step"],
    )
    assert [row["epoch"] for row in made.history] == [1, 2, 3]
    assert set(made.history[0]) == {"epoch", "step", "loss", "validation_loss", "accuracy", "learning_rate"}
    assert made.history[2]["validation_loss"] < made.history[0]["validation_loss"]
    assert made.history[2]["learning_rate"] < made.history[0]["learning_rate"]
    best = max(made.history, key=lambda row: row["accuracy"])
    assert made.best_epoch == best["epoch"]
    card = read_card(folder)
    assert (card.n_train, card.n_validation, card.n_cut, card.n_steps) == (24, 6, 0, len(card.losses))
    assert card.base_revision == model_revision(entry(), base)
    assert card.prompt_sha == tiny.PROMPT.sha256
    assert made.n_trainable == sum(t.numel() for t in load_file(folder / "adapter_model.safetensors").values())
    assert made.n_parameters == tiny.model("mistral").num_parameters()
    assert made.tokens_per_second > 0
    assert made.peak_bytes > 0
    told = "\n".join([*lines, *(item.read_text() for item in folder.glob("*.*") if item.suffix in {".md", ".json"})])
    assert "CANARY" not in told
    assert "| rank | 4 |" in told
    assert "epoch 3 of 3: loss" in told


def test_nothing_is_trained_twice_and_nothing_is_reused_by_mistake(
    trained: tuple[lora.TrainedAdapter, list[str]], base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, _ = trained
    monkeypatch.setattr(lora._Run, "train", lambda self: pytest.fail("it was trained again"))
    task, models = Labels(), made.folder.parents[1]
    again = train(models, base, task)
    assert again.reused
    assert again.folder == made.folder
    assert again.history == made.history
    assert task.n_measured == 0
    digests = {made.digest}
    other = Labels()
    other.train[3] = Example("n3", "p3", other.train[3].text + ".", other.train[3].target)
    split = Labels()
    split.validation = notes(2_000, 6)
    asked = Labels()
    asked.prompt = Prompt(tiny.PROMPT.system + " Please.", tiny.PROMPT.user)
    for which in (other, split, asked, Labels(metric_name=None)):
        digests.add(adapter_digest(entry(), model_revision(entry(), base), which, SETTINGS))
    for name, value in {"rank": 5, "seed": 2, "learning_rate": 1e-3, "max_tokens": 401, "value_weight": 6.0}.items():
        settings = SETTINGS.model_copy(update={name: value})
        digests.add(adapter_digest(entry(), model_revision(entry(), base), Labels(), settings))
    digests.add(adapter_digest(entry(), "0" * 40, Labels(), SETTINGS))
    assert len(digests) == 11
    task.train = task.train[::-1]  # the order says nothing
    assert adapter_digest(entry(), model_revision(entry(), base), task, SETTINGS) == made.digest


def test_an_adapter_is_used_as_it_was_trained(trained: tuple[lora.TrainedAdapter, list[str]], base: Path) -> None:
    made, _ = trained
    plain = load_model(entry(), CPU, folder=base)
    adapted = load_model(entry(), CPU, folder=base, adapter=made.folder)
    merged = load_model(entry(), CPU, folder=base, adapter=made.folder, merge=True)
    assert type(adapted.model) is type(plain.model)
    tokens = list(range(60, 90))
    a, b, c = (tiny.plain_logits(loaded.model, tokens) for loaded in (plain, adapted, merged))
    assert float((a - b).abs().max()) > 0.01
    torch.testing.assert_close(b, c, atol=1e-4, rtol=1e-4)
    # By hand: W + alpha / rank B A.
    tensors = load_file(made.folder / "adapter_model.safetensors")
    for name, module in plain.model.named_modules():
        key = f"base_model.model.{name}.lora_A.weight"
        if key in tensors:
            module.weight.data += 8 / 4 * tensors[key.replace("lora_A", "lora_B")] @ tensors[key]
    torch.testing.assert_close(tiny.plain_logits(plain.model, tokens), b, atol=1e-4, rtol=1e-4)
    task = Labels()
    best = max(row["accuracy"] for row in made.history)
    assert task.metric(adapted) == {"accuracy": pytest.approx(best)}
    with open_backend(entry(), tiny.SCHEMA, tiny.PROMPT, folder=base, adapter=made.folder, device="cpu") as backend:
        texts = [Request(example.text) for example in task.validation]
        served = {index: answer.values for index, answer in backend.answer(texts)}
    right = [tiny.SCHEMA.text(served[i]) == example.target for i, example in enumerate(task.validation)]
    assert sum(right) / len(right) == pytest.approx(best)


def test_an_adapter_that_is_not_whole_or_does_not_fit_is_refused(
    trained: tuple[lora.TrainedAdapter, list[str]], base: Path, tmp_path: Path
) -> None:
    made, _ = trained
    revision = model_revision(entry(), base)

    def load(folder: Path) -> Any:
        return load_model(entry(), CPU, folder=base, adapter=folder)

    with pytest.raises(ModelError, match="there is none"):
        load(tmp_path / "nowhere")
    for break_it, told in (
        (lambda f: (f / "adapter_model.safetensors").unlink(), "adapter_model.safetensors is missing"),
        (lambda f: flip(f / "adapter_model.safetensors"), "SHA-256 differs"),
        (lambda f: (f / "adapter_model.safetensors").write_bytes(b""), "SHA-256 differs"),
        (lambda f: (f / "adapter_config.json").write_text("{}"), "adapter_config.json is not the file"),
        (lambda f: (f / "adapter_card.json").write_text("{"), "adapter_card.json cannot be read"),
    ):
        folder = tmp_path / "broken"
        shutil.copytree(made.folder, folder)
        break_it(folder)
        with pytest.raises(ModelError, match=told):
            load(folder)
        shutil.rmtree(folder)
    with pytest.raises(ModelError, match=r"trained on tiny at revision .*pin that revision"):
        check_adapter(made.folder, base_revision="another")
    other = save_base(tmp_path / "other", made=tiny.model("mistral", seed=5))
    with pytest.raises(ModelError, match="trained on tiny at revision"):
        load_model(entry(), CPU, folder=other, adapter=made.folder)
    with pytest.raises(ModelError, match="another prompt"):
        check_adapter(made.folder, base_revision=revision, prompt_sha="x")
    asked = Prompt(tiny.PROMPT.system + " Please.", tiny.PROMPT.user)
    opened = open_backend(entry(), tiny.SCHEMA, asked, folder=base, adapter=made.folder, device="cpu")
    with pytest.raises(ModelError, match="another prompt"), opened:
        pass
    server = entry(backend="server", server_url="http://127.0.0.1:1/v1", profile="server")
    with (
        pytest.raises(ModelError, match="let the server load it"),
        open_backend(server, tiny.SCHEMA, tiny.PROMPT, adapter=made.folder),
    ):
        pass


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def broken(**changed: Any) -> Labels:
    task = Labels()
    for name, value in changed.items():
        setattr(task, name, value)
    return task


@pytest.mark.parametrize(
    ("task", "told"),
    [
        (broken(train=notes(0, 3)), "3 training examples, but min_examples is 4"),
        (broken(validation=[]), "no validation example"),
        (broken(train=[Example(e.example_id, e.group, e.text, "same") for e in notes(0, 9)]), "the answer is the same in all 9"),
        (broken(train=[*notes(0, 9), notes(0, 9)[2]]), "example n2 occurs more than once"),
        (broken(validation=[Example("v", "p1", "text", "t")]), "1 groups .* in training and validation both"),
        (broken(name="La bels"), "small letters"),
        (broken(metric_name="f1"), "its metric gives validation_loss, accuracy, not 'f1'"),
    ],
)  # fmt: skip
def test_examples_that_teach_nothing_are_refused(task: Labels, told: str, base: Path, tmp_path: Path) -> None:
    task.metric = lambda loaded: {"accuracy": 0.5}  # type: ignore[method-assign]
    with pytest.raises(ModelError, match=told):
        train(tmp_path, base, task, short())
    assert not list(tmp_path.rglob("*.safetensors")) or "metric" in told


def test_only_weights_of_this_process_are_trained_on(base: Path, tmp_path: Path) -> None:
    server = entry(backend="server", server_url="http://127.0.0.1:1/v1", profile="server")
    with pytest.raises(ModelError, match="not server"):
        train(tmp_path, base, of=server)


def test_a_loss_that_explodes_stops_the_training(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match=r"no number.* nothing to keep; lower learning_rate \(now 1e\+30\)"):
        train(tmp_path, base, settings=short(learning_rate=1e30, schedule="constant", warmup_ratio=0.0, epochs=9))
    with monkeypatch.context() as patched:
        patched.setattr(lora, "validation_loss", lambda model, job: 0.2)  # a base that is far better than what comes
        with pytest.raises(ModelError, match=r"the validation loss exploded.* over three times that of the base"):
            train(tmp_path, base, settings=short(learning_rate=1e4))
    # In the second epoch: the first one is kept.
    whole = lora_trainer.answer_loss

    def later(model: Any, batch: Any, *given: Any, **named: Any) -> Any:
        return whole(model, batch, *given, **named) * (float("nan") if model.training and calls() > 9 else 1.0)

    count = iter(range(10_000))

    def calls() -> int:
        return next(count)

    monkeypatch.setattr(lora_trainer, "answer_loss", later)
    lines: list[str] = []
    kept = train(tmp_path, base, settings=short(epochs=4), log=lines.append)
    assert kept.stopped == "not_finite"
    assert 1 <= kept.best_epoch <= len(kept.history) < 4
    assert "no number" in " ".join(lines)
    assert "loss exploded or was no number" in (kept.folder / "README.md").read_text()
    for tensor in load_file(kept.folder / "adapter_model.safetensors").values():
        assert bool(tensor.isfinite().all())


def test_exploding_is_told_from_noise() -> None:
    assert not lora_trainer.exploded([0.1] * 5 + [0.9] * 5)
    assert not lora_trainer.exploded([2.0] * 5 + [5.9] * 5)
    assert lora_trainer.exploded([2.0] * 5 + [6.1] * 5)
    assert not lora_trainer.exploded([0.1, 50.0])


def test_it_stops_when_nothing_gets_better(base: Path, tmp_path: Path) -> None:
    task = Labels()
    results = iter([0.5, 0.7, 0.6, 0.7, 0.9, 0.9])
    task.metric = lambda loaded: {"accuracy": next(results)}  # type: ignore[method-assign]
    made = train(tmp_path, base, task, short(epochs=6, patience=2))
    assert (made.stopped, made.best_epoch, len(made.history)) == ("early", 2, 4)
    assert read_card(made.folder).history[1]["accuracy"] == 0.7


def test_a_full_disk_leaves_nothing_and_the_next_run_goes_on(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uninterrupted = train(tmp_path / "whole", base, Labels(metric_name=None))
    copy = shutil.copyfile

    def full(source: Path, target: Path) -> None:
        copy(source, target)
        Path(target).write_bytes(Path(target).read_bytes()[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", full)
    with pytest.raises(ModelError, match=r"cannot be written \(No space left on device; .* GB free there\)"):
        train(tmp_path / "models", base, Labels(metric_name=None))
    monkeypatch.undo()
    parent = tmp_path / "models" / uninterrupted.folder.parent.name
    assert [item.name for item in parent.iterdir()] == [f".training.{uninterrupted.folder.name}"]
    assert (parent / f".training.{uninterrupted.folder.name}").stat().st_mode & 0o777 == 0o700
    lines: list[str] = []
    made = train(tmp_path / "models", base, Labels(metric_name=None), log=lines.append)
    assert "going on from step" in " ".join(lines)
    assert same_weights(made.folder, uninterrupted.folder)


@pytest.mark.parametrize("where", ["torch.save", "save_pretrained"])
def test_a_disk_that_is_full_at_a_checkpoint(
    base: Path, tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from peft import PeftModel
    from safetensors import SafetensorError

    def full(*given: Any, **named: Any) -> None:
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    if where == "save_pretrained":
        monkeypatch.setattr(PeftModel, "save_pretrained", full)
    else:
        monkeypatch.setattr(
            torch,
            "save",
            lambda *a, **n: (_ for _ in ()).throw(RuntimeError("PytorchStreamWriter failed writing file")),
        )
    with pytest.raises(ModelError, match="cannot be written"):
        train(tmp_path, base, settings=short())
    monkeypatch.undo()
    assert train(tmp_path, base, settings=short()).stopped == "finished"


def test_an_error_of_a_library_does_not_quote_a_note(base: Path, tmp_path: Path) -> None:
    task = broken(train=[*notes(0, 8), Example("s", "s", "SECRET \ud800", "x")])
    with pytest.raises(StepError) as told:
        train(tmp_path, base, task, short())
    assert "SECRET" not in str(told.value)


def same_weights(a: Path, b: Path) -> bool:
    first, second = (load_file(folder / "adapter_model.safetensors") for folder in (a, b))
    return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


def test_the_same_training_gives_the_same_weights_however_it_is_batched_on_disk(base: Path, tmp_path: Path) -> None:
    a = train(tmp_path / "a", base, settings=short())
    b = train(tmp_path / "b", base, settings=short(), checkpoint_seconds=0.0)
    assert same_weights(a.folder, b.folder)


def test_two_processes_do_not_train_one_adapter(base: Path, tmp_path: Path) -> None:
    task = Labels()
    inner: list[str] = []

    def metric(loaded: Any) -> dict[str, float]:
        with pytest.raises(ModelError, match="another process is training it"):
            train(tmp_path, base, Labels(), short())
        inner.append("refused")
        return {"accuracy": 1.0}

    task.metric = metric  # type: ignore[method-assign]
    train(tmp_path, base, task, short())
    assert inner == ["refused"]


@pytest.mark.parametrize(
    ("target", "endings"),
    [
        ("attention_qv", {"q_proj", "v_proj"}),
        ("attention", {"q_proj", "k_proj", "v_proj", "o_proj"}),
        ("all_linear", {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}),
        (("down_proj",), {"down_proj"}),
    ],
)
@pytest.mark.parametrize("family", ["mistral", "qwen2", "gemma3", "vision", "phi3"])
def test_adapters_sit_in_the_language_layers_alone(family: str, target: Any, endings: set[str]) -> None:
    from peft import LoraConfig, get_peft_model

    model = {"vision": vision_model, "phi3": phi_model}.get(family, lambda: tiny.model(family))()
    if family == "phi3":
        fused = {"q_proj": "qkv_proj", "k_proj": "qkv_proj", "v_proj": "qkv_proj", "gate_proj": "gate_up_proj", "up_proj": "gate_up_proj"}  # fmt: skip
        endings = {fused.get(name, name) for name in endings}
    settings = LoraSettings(rank=3, target=target)
    pattern = target_pattern(model, settings, "m")
    modules = target_modules(model, pattern)
    layers = model.config.get_text_config().num_hidden_layers
    assert {name.rpartition(".")[2] for name in modules} == endings
    assert len(modules) == layers * len(endings)
    assert not [name for name in modules if "vision" in name or "projector" in name or "lm_head" in name]
    n = sum(
        3 * (p.shape[0] + p.shape[1]) for name, p in model.named_parameters() if name.removesuffix(".weight") in modules
    )
    adapted = get_peft_model(model, LoraConfig(r=3, target_modules=pattern))
    assert adapted.get_nb_trainable_parameters()[0] == n_adapter_parameters(modules, 3) == n
    trained = {name for name, p in adapted.named_parameters() if p.requires_grad}
    assert not [name for name in trained if "vision" in name]


def test_modules_that_are_not_there_are_named() -> None:
    with pytest.raises(ModelError, match=r"target c_attn is not in its language layers; .* down_proj, gate_proj"):
        target_pattern(tiny.model("mistral"), LoraSettings(target=("c_attn",)), "m")


def vision_model() -> Any:
    from transformers import Gemma3Config, Gemma3ForConditionalGeneration

    torch.manual_seed(0)
    text = {**tiny._SIZE, "vocab_size": 448, "head_dim": 16, "sliding_window": 16, "layer_types": tiny._LAYERS}
    vision = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 28, "patch_size": 14}  # fmt: skip
    return Gemma3ForConditionalGeneration(
        Gemma3Config(text_config=text, vision_config=vision, mm_tokens_per_image=4, image_token_index=447, boi_token_index=446, eoi_token_index=445)
    )  # fmt: skip


def phi_model() -> Any:
    from transformers import Phi3Config, Phi3ForCausalLM

    return Phi3ForCausalLM(Phi3Config(**tiny._SIZE, vocab_size=448, pad_token_id=0))


@pytest.mark.parametrize(
    ("family", "changed"),
    [
        ("gemma3", {"gradient_checkpointing": True}),
        ("gemma vision", {"target": "attention_qv"}),
        ("qwen2", {"gradient_accumulation": 3, "batch_size": 2, "use_rslora": True, "schedule": "constant"}),
        ("mistral_sliding", {"value_choice": "alternatives", "warmup_steps": 2}),
    ],
)
def test_other_architectures_and_settings(family: str, changed: dict[str, Any], tmp_path: Path) -> None:
    of_family = save_base(tmp_path / "base", family, vision_model() if "vision" in family else None)
    settings = short(**changed, epochs=2)
    made = train(tmp_path, of_family, settings=settings)
    assert made.stopped == "finished"
    assert made.history[1]["validation_loss"] < made.history[0]["validation_loss"]
    load_model(entry(), CPU, folder=of_family, adapter=made.folder)


def test_gradient_accumulation_is_one_large_batch(base: Path, tmp_path: Path) -> None:
    one = train(tmp_path, base, settings=short(batch_size=24, dropout=0.0))
    four = train(tmp_path, base, settings=short(batch_size=6, gradient_accumulation=4, dropout=0.0))
    assert one.n_steps == four.n_steps == 1
    a, b = (load_file(made.folder / "adapter_model.safetensors") for made in (one, four))
    for key in a:
        torch.testing.assert_close(a[key], b[key], atol=2e-4, rtol=1e-2)


def test_weights_in_four_bits_are_trained_on(tmp_path: Path) -> None:
    of_family = save_base(tmp_path / "base", made=tiny.model("mistral", hidden_size=128, intermediate_size=256))
    made = train(tmp_path, of_family, Labels(8), short(target="attention_qv"), of=entry(quantization="nf4"))
    assert made.stopped == "finished"
    assert read_card(made.folder).base_revision.endswith("+nf4")
    loaded = load_model(entry(quantization="nf4"), CPU, folder=of_family, adapter=made.folder)
    assert len(Labels().metric(loaded)) == 1
    with pytest.raises(ModelError, match="not merged into weights in nf4"):
        load_model(entry(quantization="nf4"), CPU, folder=of_family, adapter=made.folder, merge=True)
    with pytest.raises(ModelError, match="trained on tiny at revision"):
        load_model(entry(), CPU, folder=of_family, adapter=made.folder)


def test_settings_that_were_not_heeded_are_found(trained: tuple[lora.TrainedAdapter, list[str]], base: Path) -> None:
    folder = trained[0].folder
    model = tiny.model("mistral")
    modules = target_modules(model, target_pattern(model, SETTINGS, "m"))
    refuse_other_adapter(folder, SETTINGS, modules)
    for changed in ({"rank": 5}, {"alpha": 9.0}, {"dropout": 0.2}, {"use_rslora": True}):
        with pytest.raises(ModelError, match=r"adapter_config.json has (r|lora_alpha|lora_dropout|use_rslora) ="):
            refuse_other_adapter(folder, SETTINGS.model_copy(update=changed), modules)
    fewer = dict(list(modules.items())[1:])
    with pytest.raises(ModelError, match="the saved adapter has"):
        refuse_other_adapter(folder, SETTINGS, fewer)
    with pytest.raises(ModelError, match="the trainer has rank = 1 where 2 was given"):
        refuse_other_arguments(type("A", (), {"rank": 1}), {"rank": 2})


def test_presets_are_those_of_the_seeds() -> None:
    ehr, summaries, entities = (PRESETS[name] for name in ("seed_ehr", "seed_ds", "seed_ner"))
    assert (ehr.rank, ehr.alpha, ehr.dropout, ehr.target, ehr.epochs) == (8, 16, 0.1, ("q_proj", "v_proj"), 1)
    # 3,407,872 trainable parameters of a Mistral 7B: 32 layers, 4,096 -> 4,096 and 4,096 -> 1,024.
    assert 32 * n_adapter_parameters({"q": (4_096, 4_096), "v": (4_096, 1_024)}, ehr.rank) == 3_407_872
    assert (summaries.rank, summaries.alpha, summaries.warmup_steps, summaries.gradient_accumulation) == (
        32,
        64,
        100,
        8,
    )
    # 59,604,992 in the 34 text layers of a Gemma 3 4B, none in its vision tower.
    gemma = {"q": (2_560, 2_048), "k": (2_560, 1_024), "v": (2_560, 1_024), "o": (2_048, 2_560), "gate": (2_560, 10_240), "up": (2_560, 10_240), "down": (10_240, 2_560)}  # fmt: skip
    assert 34 * n_adapter_parameters(gemma, summaries.rank) == 59_604_992
    # 24,313,856 of a Llama 3.2 3B.
    llama = {"q": (3_072, 3_072), "k": (3_072, 1_024), "v": (3_072, 1_024), "o": (3_072, 3_072), "gate": (3_072, 8_192), "up": (3_072, 8_192), "down": (8_192, 3_072)}  # fmt: skip
    assert 28 * n_adapter_parameters(llama, entities.rank) == 24_313_856
    with pytest.raises(ValueError, match="one or more different endings"):
        LoraSettings(target=())
    assert re.fullmatch(r"[a-z_ ]+", " ".join(PRESETS))
