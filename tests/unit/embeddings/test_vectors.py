"""The cache of vectors, aggregated vectors, and the encoder that needs no weights."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_assets.embeddings.aggregation import aggregate, weights_of
from clinical_assets.embeddings.encoder_choice import Encoder, choose_encoders, kept_open
from clinical_assets.embeddings.hashed_tfidf import DIMENSION, HashedTfidfSvd, NotFittedError, _counts, fitted_on
from clinical_assets.embeddings.person_vectors import person_vectors
from clinical_assets.embeddings.vector_cache import TABLE, encode_texts, text_sha256
from clinical_assets.embeddings.verdicts import note_cover, vector_faults
from clinical_assets.language_models.catalogue import CatalogueError, load_catalogue
from clinical_assets.language_models.loading import ModelError
from clinical_assets.storage.embedding_contracts import CODE_TEXT
from clinical_assets.storage.lake import Lake
from clinical_assets.study.embedding import Embeddings

NOW = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)


class Counting:
    """An encoder of lengths and first letters that remembers what it was asked; one of its texts may be wrong."""

    def __init__(self, dimension: int = 2) -> None:
        self.asked: list[str] = []
        self.n_opened, self.dimension = 0, dimension

    def encode(self, texts, instruction):
        self.asked += texts
        return np.array([[len(text), ord(text[0])] + [0] * (self.dimension - 2) for text in texts], np.float32)


def encoder(counting: Counting, *, revision: str = "r", dimension: int = 2) -> Encoder:
    @contextlib.contextmanager
    def opened(log):
        counting.n_opened += 1
        yield counting

    return Encoder("counting", revision, dimension, lambda i: text_sha256(revision + i), opened)


def test_a_text_is_encoded_once_however_often_it_comes(tmp_path: Path) -> None:
    lake, counting = Lake(tmp_path), Counting()
    texts = ["b", "aa", "b", "aa", "ccc"]
    first = encode_texts(lake, encoder(counting), texts, "i", made_at=NOW, texts_a_part=2)
    assert sorted(counting.asked) == ["aa", "b", "ccc"]
    np.testing.assert_array_equal(first.vectors, [[1, 98], [2, 97], [1, 98], [2, 97], [3, 99]])
    assert (first.n_distinct, first.n_computed, len(lake.batches(TABLE))) == (3, 3, 2)
    files = {part: lake.written(TABLE, part).digest for part in lake.batches(TABLE)}
    again = encode_texts(lake, encoder(counting), ["ccc", "dddd", "b"], "i", made_at=NOW)
    np.testing.assert_array_equal(again.vectors, [[3, 99], [4, 100], [1, 98]])
    assert (again.n_computed, counting.asked[3:]) == (1, ["dddd"])
    assert files.items() <= {part: lake.written(TABLE, part).digest for part in lake.batches(TABLE)}.items()
    nothing = encode_texts(lake, encoder(counting), ["b"], "i", made_at=NOW)
    assert (nothing.n_computed, counting.n_opened) == (0, 2)
    # another instruction or revision is another vector
    assert encode_texts(lake, encoder(counting), ["b"], "j", made_at=NOW).n_computed == 1
    assert encode_texts(lake, encoder(counting, revision="s"), ["b"], "i", made_at=NOW).n_computed == 1
    assert encode_texts(lake, encoder(counting), [], "i", made_at=NOW).vectors.shape == (0, 2)


@settings(max_examples=12, deadline=None)
@given(lists=st.lists(st.lists(st.text(min_size=1, max_size=5), max_size=8), min_size=1, max_size=3))
def test_whatever_was_there_before_the_vectors_are_the_same(lists: list[list[str]], tmp_path_factory) -> None:
    lake, counting = Lake(tmp_path_factory.mktemp("lake")), Counting()
    for texts in lists:
        found = encode_texts(lake, encoder(counting), texts, "", made_at=NOW, texts_a_part=3)
        assert found.vectors.tolist() == [[len(text), ord(text[0])] for text in texts]
    assert sorted(counting.asked) == sorted({text for texts in lists for text in texts})


def test_wrong_dimensions_and_no_numbers_are_refused_and_nothing_is_stored(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    with pytest.raises(ModelError, match="gave 1 vectors of dimension 3 for 1 texts; the catalogue says dimension 2"):
        encode_texts(lake, encoder(Counting(3)), ["a"], "", made_at=NOW)
    counting = Counting()
    counting.encode = lambda texts, i: np.full((len(texts), 2), np.nan, np.float32)  # type: ignore[method-assign]
    with pytest.raises(ModelError, match="no number; nothing was stored"):
        encode_texts(lake, encoder(counting), ["a"], "", made_at=NOW)
    assert lake.batches(TABLE) == []


_KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from tests.unit.embeddings.test_vectors import Counting, NOW, encoder
from clinical_assets.embeddings.vector_cache import encode_texts
from clinical_assets.storage.lake import Lake
encode_texts(Lake({lake!r}), encoder(Counting()), ["a", "bb", "ccc", "dddd"], "", made_at=NOW, texts_a_part=1)
"""


@pytest.mark.parametrize("place", ["embeddings.after_part:2", "lake.before_replace:3"])
def test_killed_and_run_again_only_the_rest_is_encoded(tmp_path: Path, place: str) -> None:
    root = str(Path(__file__).resolve().parents[3])
    code = _KILLED.format(tests=root, lake=str(tmp_path))
    environment = {**os.environ, "CLINICAL_FAILPOINT": place, "PYTHONPATH": root}
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=root, check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr[-500:]
    lake, counting = Lake(tmp_path), Counting()
    found = encode_texts(lake, encoder(counting), ["a", "bb", "ccc", "dddd"], "", made_at=NOW)
    assert counting.asked == ["ccc", "dddd"]
    assert found.vectors[:, 0].tolist() == [1, 2, 3, 4]


def test_kept_open_opens_once_and_only_when_needed(tmp_path: Path) -> None:
    counting = Counting()
    with kept_open(encoder(counting)) as kept:
        assert counting.n_opened == 0
        encode_texts(Lake(tmp_path), kept, ["a"], "", made_at=NOW)
        encode_texts(Lake(tmp_path), kept, ["b"], "", made_at=NOW)
    assert counting.n_opened == 1


def test_aggregates_by_hand() -> None:
    vectors = np.array([[1, 0], [0, 1]], np.float32)
    persons, names = np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1])
    days = np.array([1.0, 366.0, 1.0, 5.0])
    np.testing.assert_allclose(weights_of("mean", persons, names, days), 1)
    np.testing.assert_allclose(weights_of("recency", persons, names, days, half_life_days=365)[1], 0.5 ** (366 / 365))
    np.testing.assert_allclose(weights_of("tfidf", persons, names, days), np.log([1.5, 1.5, 1, 1]) + 1)
    mean = aggregate(vectors, persons, names, np.ones(4), 3)
    np.testing.assert_allclose(mean, [[2 / 5**0.5, 1 / 5**0.5], [0, 1], [0, 0]], atol=1e-6)
    with pytest.raises(ValueError, match="on or after the index date"):
        weights_of("mean", persons, names, np.array([1.0, 0.0, 1.0, 1.0]))
    with pytest.raises(ValueError, match="unknown aggregation 'sum'"):
        weights_of("sum", persons, names, days)


def test_person_vectors_of_texts_and_of_names(tmp_path: Path) -> None:
    index, key = dt.date(2020, 1, 2), {"person_id": 1, "index_date": dt.date(2020, 1, 2), "domain": "condition"}
    text = "[2020-01-01] - asthma"
    row = key | {"text": text, "text_sha256": text_sha256(text), "n_records": 1, "n_lines": 1, "n_unmapped": 0}
    rows = [
        row | {"first_date": index, "last_date": index},
        row | {"person_id": 2, "text": None, "first_date": index, "last_date": index},
    ]
    events = pa.table(
        {
            "person_id": pa.array([1, 1], pa.int64()),
            "index_date": pa.array([index] * 2),
            "domain": ["condition"] * 2,
            "event_date": pa.array([dt.date(2020, 1, 1)] * 2),
            "name": ["asthma", None],
        }
    )
    study = Embeddings(aggregations=["text", "mean", "recency", "tfidf"])
    run = person_vectors(
        Lake(tmp_path),
        [encoder(Counting())],
        pa.Table.from_pylist(rows, schema=CODE_TEXT),
        lambda: events,
        study,
        made_at=NOW,
    )
    found = {row["encoder"]: row for row in run.rows.to_pylist()}
    assert set(found) == {"counting", "counting+mean", "counting+recency", "counting+tfidf"}
    assert found["counting"]["vector"] == [len(text), ord("[")]
    for way in ("mean", "recency", "tfidf"):
        np.testing.assert_allclose(found[f"counting+{way}"]["vector"], np.array([6, 97]) / np.hypot(6, 97), rtol=1e-5)
        assert found[f"counting+{way}"]["aggregation"] == way
    assert {row["person_id"] for row in found.values()} == {1}


def test_hashed_tfidf_is_that_of_scikit_learn(tmp_path: Path) -> None:
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer

    texts = [
        "Type 2 diabetes",
        "Diabetic nephropathy",
        "Systemic lupus",
        "Lupus nephritis of the kidney",
        "Asthma  attack",
    ]
    hashing = HashingVectorizer(
        analyzer="char_wb", ngram_range=(3, 4), n_features=2**14, norm=None, alternate_sign=False
    )
    assert (_counts([*texts, ""]) != hashing.transform([*texts, ""])).nnz == 0
    weighted = TfidfTransformer(sublinear_tf=True).fit_transform(hashing.transform(sorted(texts)))
    reference = TruncatedSVD(4, random_state=0, n_iter=7).fit_transform(weighted)
    ours = HashedTfidfSvd().fit([*texts, texts[0]])
    found = ours.transform(sorted(texts))
    assert found.shape == (5, DIMENSION)
    np.testing.assert_allclose(found @ found.T, _cosines(reference), atol=1e-5)
    # a date says nothing, an unknown text is nothing, order does not count
    np.testing.assert_allclose(ours.transform(["[2020-01-01] - Systemic lupus"]), ours.transform(["systemic  LUPUS"]))
    assert not ours.transform(["0000"]).any()
    np.testing.assert_allclose(HashedTfidfSvd().fit(texts[::-1]).transform(texts), ours.transform(texts), atol=1e-6)
    kept = fitted_on(texts, tmp_path)
    np.testing.assert_allclose(fitted_on(texts[::-1], tmp_path).transform(texts), kept.transform(texts))
    assert [path.suffix for path in tmp_path.rglob("*") if path.is_file()] == [".safetensors"]
    with pytest.raises(NotFittedError):
        HashedTfidfSvd().transform(texts)
    with pytest.raises(ValueError, match="1 distinct texts"):
        HashedTfidfSvd().fit(["a", "a"])


def _cosines(rows: np.ndarray) -> np.ndarray:
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit @ unit.T


def test_encoders_are_chosen_by_name(tmp_path: Path) -> None:
    catalogue, corpus = load_catalogue(), lambda: ["Asthma", "Lupus"]
    (offline,) = choose_encoders(["hashed_tfidf_svd"], catalogue, corpus, tmp_path, "cpu")
    (other,) = choose_encoders(["hashed_tfidf_svd"], catalogue, lambda: ["Asthma", "Gout"], tmp_path, "cpu")
    assert offline.revision != other.revision
    assert offline.sha("a") == offline.sha("b")
    (server,) = choose_encoders(["nv_embed_v2"], catalogue, corpus, tmp_path, "cpu")
    assert server.dimension == 4096
    assert server.sha("a") != server.sha("b")
    with pytest.raises(
        CatalogueError, match=r"no encoder 'demo_mistral' in the catalogue; known: minilm_l6, .*hashed_tfidf_svd"
    ):
        choose_encoders(["demo_mistral"], catalogue, corpus, tmp_path, "cpu")


def test_verdicts_find_what_is_wrong() -> None:
    rows = pa.table(
        {
            "note_id": [1, 2, 3],
            "text_sha256": ["a", "b", "c"],
            "settings_sha": ["s", "s", "t"],
            "dimension": pa.array([2, 2, 2], pa.int32()),
            "vector": pa.array([[1.0, 2.0], [float("nan"), 1.0, 2.0], None], pa.list_(pa.float32())),
        }
    )
    faults = vector_faults(rows)
    assert (faults.n_vectors, faults.n_wrong_dimension, faults.n_not_finite, faults.n_dimensions) == (2, 1, 1, 2)
    notes = pa.table({"note_id": [1, 2, 3, 4], "text_sha256": ["a", "B", "c", "d"]})
    cover = note_cover(rows, notes, {1, 2, 3, 4}, "s")
    assert (cover.n_notes, cover.n_missing, cover.n_stale) == (4, 1, 2)
    assert note_cover(rows, notes, {1}, "s").n_stale == 2
