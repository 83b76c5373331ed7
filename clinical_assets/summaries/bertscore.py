"""BERTScore (Zhang et al. 2020): each word piece of one text is matched with the most similar piece of the other.

Precision is the mean over the candidate's pieces of their greatest cosine similarity to a piece of the reference, recall the
same with the texts exchanged, F1 their harmonic mean: ``2 P R / (P + R)``. No idf weights. Special tokens are not averaged but
may be matched, as in the bert-score library, whose scores these are for texts that fit into one reading of the encoder.

What differs from the library, on purpose:

* A longer text is read in overlapping chunks, not cut off. Similarities are between all chunks, and a piece that was read in
  several chunks has its greatest one.
* An empty candidate does not crash, an unset model_max_length does not overflow. An empty candidate has recall and F1 0 and no
  precision; against an empty reference nothing is defined.
* No 0 stands in for negative similarities (the library's padding does that).
* Distinct texts are read once, in batches of like length; pairs share them. Memory is bounded whatever the number of pairs.

Raw values lie in a narrow band whose floor depends on the encoder. `rescaled` moves that floor, the mean score of random pairs
(`bertscore_baseline`), to 0: ``(x - b) / (1 - b)``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from clinical_assets.language_models.batching import TokenBudget
from clinical_assets.language_models.token_windows import chunk_bounds
from clinical_assets.summaries.encoders import Encoder

if TYPE_CHECKING:
    import torch

__all__ = ["BertScores", "Reading", "bert_scores", "chunk_bounds"]

Floats = npt.NDArray[np.float64]

_TOKENS_AT_ONCE = {"cpu": 2048}  # more falls out of a processor's cache: 8192 was a fifth to a third slower
_TOKENS_ELSEWHERE = 32768
_BYTES = 1 << 30  # of token vectors held at once


@dataclass(frozen=True)
class BertScores:
    """Scores of pairs.

    Attributes
    ----------
    precision, recall, f1
        Shape (n,), nan where undefined (see the module).
    encoder
        `Encoder.identity` of what they were computed with.
    n_chunked
        Distinct texts that did not fit into one reading.
    n_texts
        Distinct texts read.
    """

    precision: Floats
    recall: Floats
    f1: Floats
    encoder: str
    n_chunked: int
    n_texts: int


@dataclass(frozen=True)
class Reading:
    """A text as it is read: pieces with special tokens, chunk by chunk; the place of each piece in the text, -1 for special ones."""

    chunks: list[list[int]]
    places: npt.NDArray[np.int64]
    n_pieces: int


def bert_scores(
    candidates: Sequence[str],
    references: Sequence[str],
    encoder: Encoder,
    *,
    stride: int | None = None,
    tokens_at_once: int | None = None,
    bytes_at_once: int = _BYTES,
    log: Callable[[str], None] = lambda line: None,
) -> BertScores:
    """Return BERTScore of each candidate against its reference.

    Parameters
    ----------
    candidates, references
        One each per pair.
    encoder
        Read with `load_encoder`.
    stride
        Pieces from the begin of one chunk to the next; half of what fits if None.
    tokens_at_once, bytes_at_once
        Bounds on a batch of the encoder (halved when memory runs out; by device if None) and on the vectors held; neither changes
        scores.
    log
        Told when memory runs out.

    Raises
    ------
    ValueError
        If there are not as many candidates as references, or the stride is not between 1 and what fits.
    """
    if len(candidates) != len(references):
        raise ValueError(f"{len(candidates)} candidates but {len(references)} references; expected one reference each")
    step = max(1, encoder.n_pieces // 2) if stride is None else stride
    if not 1 <= step <= encoder.n_pieces:
        raise ValueError(f"stride is {step}; expected 1 to {encoder.n_pieces}, what this encoder reads at once")
    ours, theirs = [text.strip() for text in candidates], [text.strip() for text in references]
    readings = _read_all({*ours, *theirs}, encoder, step)
    scores = np.full((len(ours), 3), np.nan)
    budget = TokenBudget(tokens_at_once or _TOKENS_AT_ONCE.get(encoder.device, _TOKENS_ELSEWHERE), log)
    width = int(encoder.model.config.hidden_size) * 4
    for rows, texts in _blocks(ours, theirs, readings, max(1, bytes_at_once // width)):
        vectors = _encode(texts, readings, encoder, budget)
        for row in rows:
            scores[row] = _match(
                vectors.get(ours[row]), vectors.get(theirs[row]), readings[ours[row]], readings[theirs[row]]
            )
    n_chunked = sum(len(reading.chunks) > 1 for reading in readings.values())
    return BertScores(scores[:, 0], scores[:, 1], scores[:, 2], encoder.identity, n_chunked, len(readings))


def _read_all(texts: set[str], encoder: Encoder, stride: int) -> dict[str, Reading]:
    """Cut all texts into pieces at once; bounds of chunks are ours, so the tokenizer's own truncation is off."""
    listed = sorted(texts)
    if not listed:
        return {}
    tokenizer = encoder.tokenizer
    pieces = tokenizer(listed, add_special_tokens=False, truncation=False, padding=False, verbose=False)["input_ids"]
    begin, end = tokenizer.cls_token_id, tokenizer.sep_token_id
    readings = {}
    for text, ids in zip(listed, pieces, strict=True):
        bounds = chunk_bounds(len(ids), encoder.n_pieces, stride)
        places = [np.concatenate(([-1], np.arange(a, b), [-1])) for a, b in bounds]
        readings[text] = Reading(
            [[begin, *ids[a:b], end] for a, b in bounds],
            np.concatenate(places) if places else np.zeros(0, np.int64),
            len(ids),
        )
    return readings


def _blocks(
    ours: Sequence[str], theirs: Sequence[str], readings: dict[str, Reading], most: int
) -> Iterator[tuple[list[int], list[str]]]:
    """Yield pairs whose distinct texts have at most `most` vectors (at least one pair), pairs of a shared reference together."""
    rows: list[int] = []
    texts: dict[str, None] = {}
    held = 0
    for row in sorted(range(len(ours)), key=lambda i: (theirs[i], ours[i])):
        if not (readings[ours[row]].n_pieces and readings[theirs[row]].n_pieces):
            rows.append(row)  # an empty text: nothing to read
            continue
        new = {text for text in (ours[row], theirs[row]) if text not in texts}
        size = sum(len(readings[text].places) for text in new)
        if texts and held + size > most:
            yield rows, list(texts)
            rows, texts, held = [], {}, 0
            new = {ours[row], theirs[row]}
            size = sum(len(readings[text].places) for text in new)
        rows.append(row)
        texts |= dict.fromkeys(sorted(new))
        held += size
    if rows:
        yield rows, list(texts)


def _encode(
    texts: Sequence[str], readings: dict[str, Reading], encoder: Encoder, budget: TokenBudget
) -> dict[str, torch.Tensor]:
    """Return the unit vectors of every token of every text, its chunks one after another."""
    import torch

    chunks = [chunk for text in texts for chunk in readings[text].chunks]
    lengths = [len(chunk) for chunk in chunks]
    padding = encoder.tokenizer.pad_token_id or 0

    def work(batch: list[int]) -> Any:
        longest = max(lengths[i] for i in batch)
        ids = torch.full((len(batch), longest), padding, dtype=torch.long)
        mask = torch.zeros((len(batch), longest), dtype=torch.long)
        for row, i in enumerate(batch):
            ids[row, : lengths[i]] = torch.tensor(chunks[i])
            mask[row, : lengths[i]] = 1
        whole = all(lengths[i] == longest for i in batch)  # no padding: the plain attention, which is faster
        with torch.inference_mode():
            hidden = encoder.model(
                input_ids=ids.to(encoder.device), attention_mask=None if whole else mask.to(encoder.device)
            ).last_hidden_state.float()
            return hidden / hidden.norm(dim=-1, keepdim=True)

    vectors: list[Any] = [None] * len(chunks)
    for batch, hidden in budget.run(range(len(chunks)), lengths, work):
        for row, i in enumerate(batch):
            vectors[i] = hidden[row, : lengths[i]]
    found, at = {}, 0
    for text in texts:
        n = len(readings[text].chunks)
        found[text] = vectors[at] if n == 1 else torch.cat(vectors[at : at + n])
        at += n
    return found


def _match(ours: Any, theirs: Any, candidate: Reading, reference: Reading) -> tuple[float, float, float]:
    if not reference.n_pieces:
        return float("nan"), float("nan"), float("nan")
    if not candidate.n_pieces:
        return float("nan"), 0.0, 0.0
    import torch

    with torch.inference_mode():
        similar = ours @ theirs.T
        precision = _mean_of_best(similar.amax(dim=1), candidate)
        recall = _mean_of_best(similar.amax(dim=0), reference)
    return precision, recall, 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _mean_of_best(best: Any, reading: Reading) -> float:
    """Mean over pieces of the greatest similarity that any of their readings has."""
    values = best.cpu().numpy().astype(np.float64)
    if len(reading.chunks) == 1:
        return float(values[1:-1].mean())
    of_piece = np.full(reading.n_pieces, -np.inf)
    inside = reading.places >= 0
    np.maximum.at(of_piece, reading.places[inside], values[inside])
    return float(of_piece.mean())
