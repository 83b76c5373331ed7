"""BERTScore: the bert-score library's scores where texts fit, sense where they do not, refusals where it cannot be right."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from clinical_assets.language_models.loading import ModelError
from clinical_assets.summaries.bertscore import bert_scores, chunk_bounds
from clinical_assets.summaries.bertscore_baseline import (
    BaselineError,
    load_baseline,
    random_baseline,
    rescaled,
    save_baseline,
)
from clinical_assets.summaries.encoders import Encoder, encoder_entry, load_encoder
from tests.unit.summaries.tiny_bert import WORDS, write_tiny_bert

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bert(tmp_path_factory.mktemp("tiny_bert"))


@pytest.fixture(scope="module")
def encoder(folder: Path) -> Encoder:
    return load_encoder(encoder_entry("tiny", str(folder)), 2)


def texts(n: int, longest: int = 40, seed: int = 0) -> list[str]:
    generator = random.Random(seed)
    return [" ".join(generator.choices(WORDS, k=generator.randint(1, longest))) for _ in range(n)]


def library(candidates: list[str], references: list[str], folder: Path, layer: int, batch: int = 64) -> np.ndarray:
    from bert_score import BERTScorer

    scorer = BERTScorer(model_type=str(folder), num_layers=layer, batch_size=batch, nthreads=0, device="cpu")
    return torch.stack(scorer.score(candidates, references), dim=1).numpy().astype(np.float64)


def as_columns(scores: Any) -> np.ndarray:
    return np.column_stack([scores.precision, scores.recall, scores.f1])


@pytest.mark.parametrize("layer", [1, 2, 3])
@pytest.mark.parametrize("batch", [1, 64])
def test_scores_are_the_librarys_where_texts_fit(folder: Path, layer: int, batch: int) -> None:
    candidates, references = texts(60), texts(60, seed=1)
    candidates[5], references[7] = "  fever, 2.5 mg!  ", "é unknown Ω letters"  # stripped, unknown pieces
    candidates[10:20] = candidates[:10]  # duplicates
    ours = as_columns(bert_scores(candidates, references, load_encoder(encoder_entry("tiny", str(folder)), layer)))
    assert np.abs(ours - library(candidates, references, folder, layer, batch)).max() <= 1e-6


def test_batches_and_blocks_change_nothing(encoder: Encoder) -> None:
    candidates, references = texts(30), texts(5, 200, seed=2) * 6
    whole = as_columns(bert_scores(candidates, references, encoder))
    pieces = as_columns(bert_scores(candidates, references, encoder, tokens_at_once=1, bytes_at_once=1))
    order = list(range(30))
    random.Random(3).shuffle(order)
    mixed = bert_scores([candidates[i] for i in order], [references[i] for i in order], encoder)
    np.testing.assert_allclose(pieces, whole, atol=1e-6)
    np.testing.assert_allclose(as_columns(mixed), whole[order], atol=1e-6)


def test_a_text_is_like_itself_and_scores_are_bounded(encoder: Encoder) -> None:
    some = texts(10) + texts(3, 300, seed=4)
    np.testing.assert_allclose(as_columns(bert_scores(some, some, encoder)), 1.0, atol=1e-5)
    scores = bert_scores(some, some[::-1], encoder)
    assert (np.abs(as_columns(scores)) <= 1 + 1e-6).all()
    back = bert_scores(some[::-1], some, encoder)
    np.testing.assert_allclose(scores.precision, back.recall, atol=1e-6)
    np.testing.assert_allclose(scores.f1, back.f1, atol=1e-6)


def test_a_long_text_is_read_to_its_end(encoder: Encoder) -> None:
    opening = " ".join(WORDS[:15] * 5)
    long, candidate = opening + " white count normal labs", "white count normal labs"
    scores = bert_scores([candidate], [long], encoder)
    cut = bert_scores([candidate], [" ".join(long.split()[:46])], encoder)
    assert scores.n_chunked == 1
    assert cut.n_chunked == 0
    assert scores.precision[0] > cut.precision[0]


def test_pieces_read_twice_count_once_with_their_best(encoder: Encoder) -> None:
    """By hand: every chunk through the model, all similarities, the best of each place."""
    reference, candidate = " ".join(WORDS * 4), " ".join(WORDS[::-1] * 2)

    def read(text: str) -> tuple[Any, list[int], int]:
        ids = encoder.tokenizer(text, add_special_tokens=False)["input_ids"]
        vectors, places = [], []
        for a, b in chunk_bounds(len(ids), 46, 20):
            with torch.no_grad():
                out = encoder.model(input_ids=torch.tensor([[2, *ids[a:b], 3]])).last_hidden_state[0]
            vectors.append(torch.nn.functional.normalize(out, dim=-1))
            places += [-1, *range(a, b), -1]
        return torch.cat(vectors), places, len(ids)

    (x, at_x, n_x), (y, at_y, n_y) = read(candidate), read(reference)
    similar = (x @ y.T).numpy()
    precision = np.mean([similar[[i for i, at in enumerate(at_x) if at == k]].max() for k in range(n_x)])
    recall = np.mean([similar[:, [i for i, at in enumerate(at_y) if at == k]].max() for k in range(n_y)])
    scores = bert_scores([candidate], [reference], encoder, stride=20)
    assert scores.precision[0] == pytest.approx(precision, abs=1e-6)
    assert scores.recall[0] == pytest.approx(recall, abs=1e-6)


@pytest.mark.parametrize(
    ("n", "room", "stride"), [(0, 5, 2), (5, 5, 2), (6, 5, 2), (100, 7, 7), (23, 7, 3), (24, 7, 1)]
)
def test_chunks_cover_the_text(n: int, room: int, stride: int) -> None:
    bounds = chunk_bounds(n, room, stride)
    assert {i for a, b in bounds for i in range(a, b)} == set(range(n))
    assert all(b - a == min(n, room) for a, b in bounds)
    assert len(set(bounds)) == len(bounds)


def test_empty_texts(encoder: Encoder) -> None:
    scores = as_columns(bert_scores(["", "fever", " \n", "fever"], ["fever", "  ", "", "fever"], encoder))
    assert np.isnan(scores[0, 0])
    assert scores[0, 1:].tolist() == [0.0, 0.0]
    assert np.isnan(scores[1:3]).all()
    assert scores[3] == pytest.approx([1, 1, 1], abs=1e-5)
    assert as_columns(bert_scores([], [], encoder)).shape == (0, 3)


def test_an_unset_maximum_does_not_overflow(tmp_path: Path) -> None:
    unset = load_encoder(encoder_entry("unset", str(write_tiny_bert(tmp_path, max_length=None))), 1)
    assert unset.tokenizer.model_max_length > 10**20
    assert unset.n_pieces == 46
    assert bert_scores(["fever " * 100], ["fever"], unset).n_chunked == 1


def test_what_is_refused(folder: Path, encoder: Encoder, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="1 candidates but 0 references"):
        bert_scores(["SECRET"], [], encoder)
    with pytest.raises(ValueError, match="stride is 47; expected 1 to 46"):
        bert_scores(["a"], ["b"], encoder, stride=47)
    with pytest.raises(ModelError, match="layer is 4; expected 1 to 3"):
        load_encoder(encoder_entry("tiny", str(folder)), 4)
    for file in folder.iterdir():
        if file.suffix != ".safetensors":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(ModelError, match="a pickle"):
        load_encoder(encoder_entry("tiny", str(tmp_path)), 1)


def test_weights_that_are_missing_are_not_made_up(folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = load_file(folder / "model.safetensors")
    kept = {name: value for name, value in weights.items() if "layer.1.attention" not in name}
    assert len(kept) < len(weights)
    save_file(kept, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match="lacks"):
        load_encoder(encoder_entry("tiny", str(tmp_path)), 2)


def test_a_baseline_rescales_scores_of_its_own_encoder_only(folder: Path, encoder: Encoder, tmp_path: Path) -> None:
    corpus = texts(60)
    baseline = random_baseline(corpus, encoder, n_pairs=200)
    assert baseline == random_baseline(corpus[::-1], encoder, n_pairs=200)
    save_baseline(baseline, tmp_path / "b" / "baseline.json")
    assert load_baseline(tmp_path / "b" / "baseline.json", encoder) == baseline
    assert [p.name for p in (tmp_path / "b").iterdir()] == ["baseline.json"]
    raw = bert_scores(["fever", "", "no cough"], ["fever", "cough", ""], encoder)
    moved = rescaled(raw, baseline)
    assert moved.f1[0] == pytest.approx(1, abs=1e-4)
    assert moved.f1[1] == 0
    assert moved.recall[1] == 0
    assert np.isnan(moved.precision[1])
    assert np.isnan(moved.f1[2])
    some, others = texts(100, seed=8), texts(100, seed=9)
    once = bert_scores(some, others, encoder)
    np.testing.assert_allclose(rescaled(once, baseline).f1, (once.f1 - baseline.f1) / (1 - baseline.f1))
    other = load_encoder(encoder_entry("tiny", str(folder)), 3)
    with pytest.raises(BaselineError, match="layer3"):
        load_baseline(tmp_path / "b" / "baseline.json", other)
    with pytest.raises(BaselineError, match="layer2"):
        rescaled(bert_scores(["a"], ["a"], other), baseline)
    with pytest.raises(BaselineError, match="tells no texts apart"):
        rescaled(raw, dataclasses.replace(baseline, f1=1.0))


def test_baselines_that_cannot_be(encoder: Encoder, tmp_path: Path) -> None:
    with pytest.raises(BaselineError, match="at least 20 distinct"):
        random_baseline(["fever"] * 100, encoder)
    with pytest.raises(BaselineError, match="cannot be read"):
        load_baseline(tmp_path / "none.json", encoder)
    for content, message in (("{", "not JSON"), ("[]", "exactly"), ('{"f1": 1}', "exactly")):
        (tmp_path / "bad.json").write_text(content)
        with pytest.raises(BaselineError, match=message):
            load_baseline(tmp_path / "bad.json", encoder)


def test_other_weights_are_another_encoder(encoder: Encoder, tmp_path: Path) -> None:
    other = load_encoder(encoder_entry("tiny", str(write_tiny_bert(tmp_path, seed=1))), 2)
    assert other.revision != encoder.revision
    assert other.identity != encoder.identity


def test_a_tokenizer_file_that_cuts_and_pads_by_itself_is_overruled(
    folder: Path, encoder: Encoder, tmp_path: Path
) -> None:
    """Sentence encoders are often published with a tokenizer.json that truncates to 128 pieces and pads to as many."""
    from tokenizers import Tokenizer

    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    raw = Tokenizer.from_file(str(folder / "tokenizer.json"))
    raw.enable_truncation(8)
    raw.enable_padding(length=8)
    raw.save(str(tmp_path / "tokenizer.json"))
    cutting = load_encoder(encoder_entry("tiny", str(tmp_path)), 2)
    a, b = texts(20), texts(20, 100, seed=1)
    np.testing.assert_array_equal(as_columns(bert_scores(a, b, cutting)), as_columns(bert_scores(a, b, encoder)))
