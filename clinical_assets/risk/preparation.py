"""From blocks of features to one matrix: impute, take logarithms, scale, project. Fitted on training rows, applied to any.

What is fitted is plain arrays and words, so that a model is kept without pickle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from clinical_assets.risk.autoencoder import apply_encoder, fit_encoder
from clinical_assets.risk.features import TOTALS, Block

__all__ = ["Prepared", "fit_block", "load_block", "stack"]

Floats32 = npt.NDArray[np.float32]
Arrays = dict[str, npt.NDArray[Any]]

_WORDS = 20_000
_NOISE = 1e-5


@dataclass(frozen=True)
class Prepared:
    """A fitted block.

    Attributes
    ----------
    name, kind
        Those of the block.
    arrays
        keep (columns that stay), median, mean, scale, components, idf, flags (columns that get an indicator of missing values).
    words
        Vocabulary in the order of idf; empty but for texts.
    names
        Of the columns it makes, prefixed.
    """

    name: str
    kind: str
    arrays: Arrays
    words: tuple[str, ...]
    names: tuple[str, ...]

    def apply(self, block: Block) -> Floats32:
        """Return the prepared rows, shape (n, columns).

        Raises
        ------
        ValueError
            If the block is another one, or vectors have another length than in training.
        """
        if (block.name, block.kind) != (self.name, self.kind):
            raise ValueError(f"block {block.name} ({block.kind}) given, prepared for {self.name} ({self.kind})")
        if self.kind in ("vectors", "texts"):
            return self._project(block)
        raw, extra = self._numbers(block)
        scaled = (raw - self.arrays["mean"]) / self.arrays["scale"]
        return np.concatenate([scaled, extra], axis=1).astype(np.float32)

    def _numbers(self, block: Block) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        names = {column: j for j, column in enumerate(block.columns)}
        if self.kind == "counts":
            # codes that training did not have are ignored, those that it had and are not here are zeros
            raw = np.zeros((block.values.shape[0], len(self.words)))
            there = [(i, names[word]) for i, word in enumerate(self.words) if word in names]
            if there:
                target, source = (list(side) for side in zip(*there, strict=True))
                raw[:, target] = np.log1p(block.values[:, source].toarray())
            return raw, np.zeros((raw.shape[0], 0))
        raw = np.full((block.values.shape[0], len(self.words)), np.nan)
        for i, word in enumerate(self.words):
            if word in names:
                raw[:, i] = block.values[:, names[word]]
        missing = np.isnan(raw)
        return np.where(missing, self.arrays["median"], raw), missing[:, self.arrays["flags"]].astype(np.float64)

    def _project(self, block: Block) -> Floats32:
        values, missing = _vectors(block, self.words, self.arrays)
        curved = "bias" in self.arrays  # an autoencoder's
        projected = apply_encoder(self.arrays, values) / self.arrays["scale"] if curved else self._linear(values)
        projected[missing] = 0.0
        flag = missing[:, None].astype(np.float32) if self.arrays["flags"].size else np.zeros((missing.size, 0))
        return np.concatenate([projected, flag], axis=1).astype(np.float32)

    def _linear(self, values: Any) -> npt.NDArray[np.float64]:
        # the mean's projection is taken off the projection, so that sparse rows stay sparse
        turned = self.arrays["components"].T
        return np.asarray((np.asarray(values @ turned) - self.arrays["mean"] @ turned) / self.arrays["scale"])


def fit_block(block: Block, *, minimum_persons: int, components: int, seed: int, reduction: str = "pca") -> Prepared:
    """Fit a block on training rows.

    counts: logarithm of 1 + n of codes that at least `minimum_persons` have, standardised. dense: medians for missing values, with an
    indicator where any is missing, standardised. vectors: principal components, or the hidden units of an autoencoder. texts: TF-IDF of
    words and pairs of words, then a singular value decomposition. Components keep their relative spread: the first has unit variance,
    later ones less.

    Raises
    ------
    ValueError
        If there are no rows.
    """
    n = len(block.values) if block.kind == "texts" else block.values.shape[0]
    if n == 0:
        raise ValueError(f"block {block.name}: no rows to fit on")
    if block.kind in ("vectors", "texts"):
        return _fit_vectors(block, components, reduction, seed)
    if block.kind == "counts":
        n_persons = np.asarray((block.values > 0).sum(axis=0)).ravel()
        keep = np.flatnonzero(n_persons >= minimum_persons)
        raw = np.log1p(block.values[:, keep].toarray())
        extra: tuple[str, ...] = ()
        arrays: Arrays = {}
    else:
        keep = np.flatnonzero(~np.all(np.isnan(block.values), axis=0))
        given = block.values[:, keep]
        missing = np.isnan(given)
        median = np.nanmedian(given, axis=0) if keep.size else np.zeros(0)
        flags = np.flatnonzero(missing.any(axis=0))
        raw, extra = np.where(missing, median, given), tuple(f"{block.columns[keep[j]]}_missing" for j in flags)
        arrays = {"median": median, "flags": flags}
    words = tuple(block.columns[j] for j in keep)
    spread = raw.std(axis=0)
    scale = np.where(spread > 1e-12, spread, 1.0)
    if block.kind == "counts" and len(words) > len(TOTALS):
        # hundreds of single codes together weigh as much as the few columns that sum them up, where scale matters
        single = np.asarray([word not in TOTALS for word in words])
        scale[single] *= np.sqrt(single.sum() / len(TOTALS))
    arrays |= {"mean": raw.mean(axis=0), "scale": scale}
    return Prepared(block.name, block.kind, arrays, words, tuple(f"{block.name}__{w}" for w in (*words, *extra)))


def _fit_vectors(block: Block, components: int, reduction: str, seed: int) -> Prepared:
    from sklearn.decomposition import PCA, TruncatedSVD

    words: tuple[str, ...] = ()
    arrays: Arrays = {}
    if block.kind == "texts":
        words, arrays["idf"] = _vocabulary(block.values)
    values, missing = _vectors(block, words, arrays)
    known = values[~missing]
    size = min(components, known.shape[1], max(known.shape[0] - 1, 0))
    dimension = values.shape[1]
    if size >= 1 and block.kind == "vectors" and reduction == "autoencoder":
        return _fit_autoencoder(block, known, missing, size, seed)
    mean, turned = np.zeros(dimension), np.zeros((0, dimension))
    if size >= 1 and block.kind == "texts":
        # sparse rows are not centred, as in latent semantic analysis
        turned = TruncatedSVD(min(size, max(dimension - 1, 1)), random_state=seed).fit(known).components_
        mean = np.asarray(known.mean(axis=0)).ravel()
    elif size >= 1:
        fitted = PCA(size, svd_solver="auto", random_state=seed).fit(known)
        mean, turned = fitted.mean_, fitted.components_
    spread = np.asarray(known @ turned.T).std(axis=0) if turned.shape[0] else np.zeros(0)
    # Components beyond the rank are rounding errors: a tree would split on them, and differently after each reload.
    real = spread > _NOISE * max(spread.max(initial=0.0), 1e-12)
    arrays |= {
        "mean": np.asarray(mean, dtype=np.float64),
        "components": np.ascontiguousarray(turned[real], dtype=np.float64),
        "scale": np.asarray(spread.max() if real.any() else 1.0),
    }
    arrays["flags"] = np.asarray([0] if missing.any() else [], dtype=np.int64)
    return Prepared(block.name, block.kind, arrays, words, _names(block, arrays, "pc"))


def _fit_autoencoder(block: Block, known: Any, missing: npt.NDArray[np.bool_], size: int, seed: int) -> Prepared:
    arrays: Arrays = dict(fit_encoder(known, size, seed))
    spread = apply_encoder(arrays, known).std(axis=0)
    arrays["scale"] = np.asarray(spread.max() if spread.max(initial=0.0) > 0 else 1.0)
    arrays["flags"] = np.asarray([0] if missing.any() else [], dtype=np.int64)
    return Prepared(block.name, block.kind, arrays, (), _names(block, arrays, "ae"))


def _names(block: Block, arrays: Arrays, kind: str) -> tuple[str, ...]:
    names = [f"{block.name}__{kind}{i:02d}" for i in range(arrays["components"].shape[0])]
    return (*names, f"{block.name}__missing") if arrays["flags"].size else tuple(names)


def load_block(name: str, kind: str, arrays: Arrays, words: Sequence[str], names: Sequence[str]) -> Prepared:
    """Return a fitted block from what was kept of it."""
    return Prepared(name, kind, arrays, tuple(words), tuple(names))


def stack(prepared: Sequence[Prepared], blocks: Sequence[Block]) -> Floats32:
    """Return the prepared blocks side by side, shape (n, all columns)."""
    by_name = {block.name: block for block in blocks}
    return np.concatenate([one.apply(by_name[one.name]) for one in prepared], axis=1)


def _vocabulary(texts: Sequence[str]) -> tuple[tuple[str, ...], npt.NDArray[np.float64]]:
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(**_TFIDF, max_features=_WORDS)
    try:
        vectorizer.fit(texts)
    except ValueError:  # no words at all
        return (), np.zeros(0)
    return tuple(vectorizer.get_feature_names_out().tolist()), np.asarray(vectorizer.idf_)


_TFIDF: dict[str, Any] = {"ngram_range": (1, 2), "sublinear_tf": True, "lowercase": True, "dtype": np.float32}


def _vectors(block: Block, words: tuple[str, ...], arrays: Arrays) -> tuple[Any, npt.NDArray[np.bool_]]:
    """Rows as numbers (sparse for texts), and which have none."""
    if block.kind == "texts":
        missing = np.asarray([not text for text in block.values], dtype=np.bool_)
        if not words:
            return np.zeros((len(block.values), 0)), np.ones(len(block.values), dtype=np.bool_)
        from sklearn.feature_extraction.text import TfidfVectorizer

        vectorizer = TfidfVectorizer(**_TFIDF, vocabulary=list(words))
        vectorizer.idf_ = arrays["idf"]
        return vectorizer.transform(block.values), missing
    values = np.asarray(block.values, dtype=np.float64)
    expected = arrays["components"].shape[1] if "components" in arrays else values.shape[1]
    if values.shape[1] != expected:
        raise ValueError(
            f"{block.name}: vectors have {values.shape[1]} numbers, the model was made with {expected}. Was the encoder changed? "
            "Train anew, or make the vectors with the encoder of the model."
        )
    missing = np.isnan(values).any(axis=1)
    return np.where(missing[:, None], 0.0, values), missing
