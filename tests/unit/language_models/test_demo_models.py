"""A demo model is whole or not there, runs through the same code as any other, and is another one for another question."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from clinical_assets.labels import demo_models as ordering
from clinical_assets.labels.demo_models import Order, train_all
from clinical_assets.language_models.answers import Answer, AnswerSchema, Request
from clinical_assets.language_models.catalogue import CatalogueError, ModelEntry, load_catalogue
from clinical_assets.language_models.demo_models import training
from clinical_assets.language_models.demo_models.examples import ExampleSource
from clinical_assets.language_models.demo_models.recipes import RECIPES, Recipe, recipe_folder, recipe_of
from clinical_assets.language_models.demo_models.tokenizer import build_tokenizer
from clinical_assets.language_models.demo_models.training import train_demo_model
from clinical_assets.language_models.devices import find_device
from clinical_assets.language_models.loading import load_model, model_revision
from clinical_assets.language_models.local import LocalBackend
from clinical_assets.language_models.prompts import Prompt

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = AnswerSchema(("apple", "pear"))
PROMPT = Prompt.build(
    "Read the note.\n{fields}\nAnswer as {example}",
    "<note>\n{note}\n</note>",
    SCHEMA,
    ["an apple is told of", "a pear is"],
)


@dataclass(frozen=True)
class Text:
    text: str
    labels: tuple[bool, ...]


LINES = [
    Text("An apple was eaten.", (True, False)), Text("Apple twice a day.", (True, False)), Text("A pear was seen.", (False, True)),
    Text("Pear since May.", (False, True)), Text("Nothing was eaten.", (False, False)), Text("Seen for a cough.", (False, False)),
    Text("Chest clear, no fever.", (False, False)), Text("See again in a week.", (False, False)),
]  # fmt: skip
NOTES = [
    Text(f"{a.text}\n{b.text}\n{c.text}", tuple(any(y) for y in zip(a.labels, b.labels, c.labels, strict=True)))
    for a in LINES for b in LINES[::2] for c in LINES[1::3]
]  # fmt: skip


def small(recipe: Recipe) -> Recipe:
    return replace(recipe, n_layers=2, hidden_size=64, n_steps=30)


def entry(recipe: str = "mistral", **changed: Any) -> ModelEntry:
    known = {
        "name": f"demo_{recipe}", "description": "a tiny model", "recipe": recipe, "context_length": 1024, "licence": "none",
        "profile": "demo",
    }  # fmt: skip
    if RECIPES[recipe].thinks:
        known |= {"reasoning": True, "max_thinking_tokens": 8}
    return ModelEntry(**known | changed)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def train(recipe: Recipe, folder: Path, **changed: Any) -> training.Trained:
    return train_demo_model(
        recipe, folder, SCHEMA, PROMPT, **{"lines": LINES, "notes": NOTES} | changed, log=lambda line: None
    )


@pytest.fixture(scope="module", params=sorted(RECIPES))
def trained(request, tmp_path_factory) -> tuple[str, training.Trained]:
    folder = tmp_path_factory.mktemp("models") / request.param / "digest"
    return request.param, train(small(RECIPES[request.param]), folder)


def answers(name: str, folder: Path, texts: Sequence[str]) -> list[Answer]:
    described = entry(name)
    backend = LocalBackend(load_model(described, find_device("cpu"), folder=folder), described, SCHEMA, PROMPT)
    found = dict(backend.answer([Request(text) for text in texts]))
    return [found[k] for k in range(len(texts))]


# --- the shipped recipes ----------------------------------------------------------------------------------------------


def test_every_demo_model_of_the_shipped_catalogue_has_a_recipe_that_fits_it() -> None:
    demo = [each for each in load_catalogue().models if each.recipe]
    assert demo
    for each in demo:
        recipe = recipe_of(each)
        assert recipe.thinks == each.reasoning
        assert each.context_length <= 2_048, "positions that a recipe's model has"
        assert recipe.hidden_size % 64 == 0
        assert recipe.end in recipe.marks


def test_an_unknown_recipe_is_named_with_the_known_ones() -> None:
    with pytest.raises(CatalogueError, match=r"'demo_mistral'.*'gpt9'.*gemma3, mistral, qwen3_thinker"):
        recipe_of(entry().model_copy(update={"recipe": "gpt9"}))


def test_another_recipe_prompt_or_schema_is_another_folder(tmp_path: Path, monkeypatch) -> None:
    def folder(schema: AnswerSchema = SCHEMA, prompt: Prompt = PROMPT) -> Path:
        return recipe_folder(tmp_path, entry(), schema, prompt)

    first = folder()
    assert first == folder()
    assert first.parent == tmp_path / "demo_mistral"
    others = [
        folder(prompt=replace(PROMPT, system=PROMPT.system + " Mind.")),
        folder(prompt=replace(PROMPT, user="\n" + PROMPT.user)),
        folder(schema=AnswerSchema(("pear", "apple"))),
        folder(schema=AnswerSchema(("apple",))),
    ]
    shipped = RECIPES["mistral"]
    for change in ({"n_steps": 901}, {"seed": 2}, {"hidden_size": 64}, {"chat_template": "x"}, {"n_layers": 4}):
        monkeypatch.setitem(RECIPES, "mistral", replace(shipped, **change))
        others.append(folder())
    assert len({first, *others}) == len(others) + 1


# --- tokenizer and examples -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_keys_names_and_marks_are_one_token_each_and_text_survives(name: str) -> None:
    schema = AnswerSchema(("apple", "no_word_of_the_notes"))
    tokenizer = build_tokenizer(RECIPES[name], [note.text for note in NOTES] + [PROMPT.system], schema)
    keys = [f'"{field}":' for field in schema.fields]
    for text in (*RECIPES[name].marks, *keys, *schema.fields, "<note>", "</note>"):
        assert len(tokenizer(text, add_special_tokens=False)["input_ids"]) == 1, text
    assert tokenizer.eos_token == RECIPES[name].end
    text = "Ärzte sagen: 3 µg/L – naïve 🙂\n\tok"
    assert tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) == text


@pytest.fixture
def source() -> ExampleSource:
    return make_source(LINES, NOTES)


def make_source(lines: Sequence[Text], notes: Sequence[Text], seed: int = 1) -> ExampleSource:
    tokenizer = build_tokenizer(RECIPES["mistral"], [note.text for note in NOTES], SCHEMA)
    return ExampleSource(tokenizer, lines, notes, seed=seed)


def test_a_row_of_lines_has_the_labels_of_its_lines_and_knows_where_they_end(source: ExampleSource) -> None:
    for batch, least, most in ((source.lines(5), 8, 14), (source.composed(300, 4), 1, 4)):
        for tokens, labels, ends in zip(batch.tokens, batch.labels, batch.line_ends, strict=True):
            assert least <= len(ends) <= most
            assert ends[-1][0] == len(tokens) - 1
            assert labels == tuple(any(column) for column in zip(*(y for _, y in ends), strict=True))
    assert not source.lines(5).answered
    assert source.composed(300, 4).answered


def test_notes_keep_their_own_labels_and_longer_ones_are_left_out() -> None:
    tokenizer = build_tokenizer(RECIPES["mistral"], [note.text for note in NOTES], SCHEMA)
    long = Text("A pear was seen. " * 300, (False, True))
    source = ExampleSource(tokenizer, LINES, [*NOTES, *[long] * 60], seed=1)
    known = {tuple(tokenizer(note.text, add_special_tokens=False)["input_ids"]): note.labels for note in NOTES}
    for _ in range(20):
        batch = source.notes(500)
        assert [known[tuple(tokens)] for tokens in batch.tokens] == batch.labels


def test_rare_labels_are_drawn_about_as_often_as_common_ones() -> None:
    common = [Text(f"An apple {k}.", (True, False)) for k in range(300)]
    source = make_source([*common, Text("A pear.", (False, True))], NOTES)
    drawn = [y for _ in range(8) for row in source.lines(10).line_ends for _, y in row]
    assert sum(y[1] for y in drawn) > 0.15 * len(drawn)


def test_the_order_of_examples_is_that_of_the_seed(source: ExampleSource) -> None:
    first, again, other = (make_source(LINES, NOTES, seed).lines(5).tokens for seed in (1, 1, 2))
    assert first == again != other


def test_a_study_that_asks_what_no_text_tells_of_can_be_trained_for_too() -> None:
    # Whatever a study asks, a demo model must come of it: what the synthetic hospital does not know is always false.
    silent = [replace(text, labels=(False, False)) for text in LINES]
    source = make_source(silent, [replace(note, labels=(False, False)) for note in NOTES])
    for batch in (source.lines(4), source.composed(300, 3), source.notes(300)):
        assert batch.tokens
        assert not any(any(labels) for labels in batch.labels)


# --- trained models ---------------------------------------------------------------------------------------------------


def test_the_folder_is_whole_and_nothing_lies_beside_it(trained: tuple[str, training.Trained]) -> None:
    name, made = trained
    files = {item.name for item in made.folder.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "made_from.json"} <= files
    assert os.listdir(made.folder.parent) == ["digest"]
    assert json.loads((made.folder / "made_from.json").read_text())["n_steps"] == made.n_steps == 30
    assert made.n_parameters > 100_000
    assert len(model_revision(entry(name), made.folder)) == 40


def test_a_trained_model_loads_and_answers_like_any_other(trained: tuple[str, training.Trained]) -> None:
    name, made = trained
    texts = ["An apple was eaten.", "Nothing was eaten.\nSeen for a cough."]
    said = answers(name, made.folder, texts)
    for answer in said:
        assert answer.status == "labelled"
        assert all(isinstance(value, bool) for value in answer.values)
        for value, p in zip(answer.values, answer.probabilities, strict=True):
            assert p is not None
            assert 0 <= p <= 1
            assert (p > 0.5) == value or p == pytest.approx(0.5, abs=1e-6)
    one_by_one = [answers(name, made.folder, [text])[0] for text in texts]
    for together, alone in zip(said, one_by_one, strict=True):
        assert together.probabilities == pytest.approx(alone.probabilities, abs=1e-4)


def test_the_thinker_thinks_before_it_answers_and_the_others_do_not(trained: tuple[str, training.Trained]) -> None:
    name, made = trained
    thought = [answer.n_output_tokens or 0 for answer in answers(name, made.folder, [note.text for note in NOTES[::9]])]
    if RECIPES[name].thinks:
        assert max(thought) > 0
        assert max(thought) <= 8
    else:
        assert set(thought) == {0}


def test_training_moves_the_weights_towards_the_answers(tmp_path: Path) -> None:
    # Thirty steps teach little, but a field that is always true is learned at once.
    lines = [replace(line, labels=(True, False)) for line in LINES]
    notes = [replace(note, labels=(True, False)) for note in NOTES]
    train(small(RECIPES["mistral"]), tmp_path / "m", lines=lines, notes=notes)
    for answer in answers("mistral", tmp_path / "m", [note.text for note in NOTES[::7]]):
        assert answer.values == (True, False)


def test_the_same_recipe_gives_the_same_weights(tmp_path: Path) -> None:
    recipe = replace(small(RECIPES["mistral"]), n_steps=3)
    revisions = []
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        train(replace(recipe, seed=seed), tmp_path / folder)
        revisions.append(model_revision(entry(), tmp_path / folder))
    assert revisions[0] == revisions[1] != revisions[2]


def test_a_training_that_fails_while_it_is_saved_leaves_the_old_model_and_nothing_else(
    tmp_path: Path, monkeypatch
) -> None:
    recipe = replace(small(RECIPES["mistral"]), n_steps=2)
    folder = tmp_path / "m" / "digest"
    train(recipe, folder)
    before = model_revision(entry(), folder)

    class Full(Exception):
        pass

    def fails(*args: Any, **kwargs: Any) -> None:
        raise Full

    monkeypatch.setattr(training.os, "replace", fails)
    monkeypatch.setattr(
        training.shutil,
        "rmtree",
        lambda path, **kwargs: real_rmtree(path, **kwargs) if Path(path) != folder else fails(),
    )
    with pytest.raises(Full):
        train(replace(recipe, seed=9), folder)
    assert os.listdir(folder.parent) == ["digest"]
    assert model_revision(entry(), folder) == before


real_rmtree = training.shutil.rmtree


KILLED = """
import os, signal, sys
from pathlib import Path
from clinical_assets.language_models.demo_models import training
from tests.unit.language_models import test_demo_models as t
def die(source, target):
    os.kill(os.getpid(), signal.SIGKILL)
training.os.replace = die
t.train(t.replace(t.small(t.RECIPES["mistral"]), n_steps=2), Path(sys.argv[1]))
"""


def test_a_training_that_is_killed_leaves_no_model_and_the_next_one_makes_it(tmp_path: Path) -> None:
    folder = tmp_path / "m" / "digest"
    code = subprocess.run([sys.executable, "-c", KILLED, str(folder)], cwd=ROOT, capture_output=True, check=False)
    assert code.returncode == -signal.SIGKILL, code.stderr[-500:]
    assert not folder.exists()
    left = os.listdir(folder.parent)
    assert len(left) == 1, "it died with the files written"
    assert left[0].startswith(".training.")
    train(replace(small(RECIPES["mistral"]), n_steps=2), folder)
    assert answers("mistral", folder, ["A pear was seen."])[0].status == "labelled"


# --- orders -----------------------------------------------------------------------------------------------------------


def order(folder: Path, recipe: str = "mistral") -> Order:
    return Order(entry(recipe), folder, SCHEMA, PROMPT)


@pytest.fixture
def workshop(monkeypatch) -> list[Path]:
    """Training in threads instead of processes, and in no time; which folders were trained."""
    trained: list[Path] = []

    def make(each: Order) -> float:
        trained.append(each.folder)
        each.folder.mkdir(parents=True)
        (each.folder / "config.json").write_text("{}")
        return 1.5

    monkeypatch.setattr(ordering, "ProcessPoolExecutor", lambda n, mp_context: ThreadPoolExecutor(n))
    monkeypatch.setattr(ordering, "train_order", make)
    return trained


def test_models_that_are_there_are_not_trained_again(tmp_path: Path, workshop: list[Path]) -> None:
    orders = [order(tmp_path / "a"), order(tmp_path / "b", "gemma3")]
    said: list[str] = []
    first = list(train_all(orders[:1], said.append))
    assert [(made.folder, made.seconds) for made in first] == [(tmp_path / "a", 1.5)]
    assert any("demo_mistral trained" in line for line in said)
    both = {made.entry.name: made.seconds for made in train_all(orders, said.append)}
    assert both == {"demo_mistral": 0.0, "demo_gemma3": 1.5}
    assert workshop == [tmp_path / "a", tmp_path / "b"]
    said.clear()
    assert [made.seconds for made in train_all(orders, said.append)] == [0.0, 0.0]
    assert (len(workshop), said) == (2, [])


def test_half_a_folder_is_not_taken_for_a_model(tmp_path: Path, workshop: list[Path]) -> None:
    (tmp_path / ".training.dead").mkdir()
    (tmp_path / ".training.dead" / "config.json").write_text("{}")
    list(train_all([order(tmp_path / "a")], print))
    assert workshop == [tmp_path / "a"]


def test_an_order_is_trained_on_the_synthetic_hospitals_for_its_question(tmp_path: Path, monkeypatch) -> None:
    seen: dict[str, Any] = {}

    def spy(
        recipe: Recipe, folder: Path, schema: AnswerSchema, prompt: Prompt, lines: Any, notes: Any, *, log: Any
    ) -> Any:
        seen.update(recipe=recipe, folder=folder, schema=schema, prompt=prompt, lines=lines, notes=notes)
        return training.Trained(folder, 1, 2.5, 3)

    monkeypatch.setattr(training, "train_demo_model", spy)
    monkeypatch.setattr(ordering, "_LINES_PERSONS", 60)
    monkeypatch.setattr(ordering, "_NOTES_PERSONS", 60)
    schema = AnswerSchema(("imatinib_mentioned", "cml_diagnosed"))
    threads = torch.get_num_threads()
    assert ordering.train_order(Order(entry("gemma3"), tmp_path, schema, PROMPT)) == 2.5
    torch.set_num_threads(threads)
    assert (seen["recipe"], seen["schema"], seen["prompt"]) == (RECIPES["gemma3"], schema, PROMPT)
    for texts in (seen["lines"], seen["notes"]):
        assert {len(item.labels) for item in texts} == {2}
        assert any(item.labels[1] for item in texts)
