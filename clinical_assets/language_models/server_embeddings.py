"""An encoder behind a server with OpenAI's /v1/embeddings: vLLM, SGLang, Text Embeddings Inference, llama.cpp, Ollama.

The server cuts texts into tokens and pools by itself, so that windows are cut here at words, by an estimate that is rather too long
than too short; a window that it still finds too long is halved. No text gets into logs or messages.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from clinical_assets.language_models.catalogue import ModelEntry
from clinical_assets.language_models.loading import ModelError
from clinical_assets.language_models.parsing import exceeds_context
from clinical_assets.language_models.server_client import Call, ServerClient
from clinical_assets.language_models.server_pacing import Patience, TransientError
from clinical_assets.language_models.text_vectors import Vectors, embedding_settings, unit_rows
from clinical_assets.language_models.token_windows import chunk_bounds, stride_of, window_weights

__all__ = ["ServerEncoder"]

_TEXTS_A_REQUEST = 32
_CHARACTERS_A_TOKEN = 3  # estimated, rather too few
_WORD = re.compile(r"\s*\S{1,200}")


class ServerEncoder:
    """Encodes through a server.

    Parameters
    ----------
    entry
        Of the catalogue, with server_url and task embeddings.
    api_key
        Sent as bearer token; None for none.
    log, patience
        See :class:`~clinical_assets.language_models.server_client.ServerClient`.
    """

    def __init__(
        self,
        entry: ModelEntry,
        *,
        api_key: str | None = None,
        log: Callable[[str], None] = lambda line: None,
        patience: Patience | None = None,
    ) -> None:
        self._entry, self._how = entry, embedding_settings(entry)
        self._client = ServerClient(
            entry, base_url=entry.server_url or "", api_key=api_key, log=log, patience=patience, asked_for="embeddings"
        )

    def encode(self, texts: Sequence[str], instruction: str = "") -> Vectors:
        """Return one vector a text, float32 of shape (n, dimension).

        Raises
        ------
        ServerError
            If the server does not answer, or refuses key, address or model.
        ModelError
            If it gives vectors of another dimension, what is no number, or none for some text.
        """
        prefix = self._how.prefix_for(instruction)
        words = max(
            1, (self._entry.context_length * _CHARACTERS_A_TOKEN - len(prefix)) // 6
        )  # 6 characters a word and blank
        windows: list[tuple[int, str, float]] = []  # whose it is, text, share
        for owner, text in enumerate(texts):
            windows += [(owner, part, share) for part, share in _windows(text, words, self._how.overlap)]
        together = np.zeros((len(texts), self._how.dimension), np.float64)
        while windows:
            groups = [windows[i : i + _TEXTS_A_REQUEST] for i in range(0, len(windows), _TEXTS_A_REQUEST)]
            longer: list[tuple[int, str, float]] = []
            for index, found in self._client.run(
                [[prefix + part for _, part, _ in group] for group in groups], self._ask
            ):
                if found is None:
                    longer += self._smaller(groups[index])
                    continue
                vectors = unit_rows(found) if self._how.normalise else found
                for (owner, _, share), vector in zip(groups[index], vectors, strict=True):
                    together[owner] += share * vector
            windows = longer
        return unit_rows(together) if self._how.normalise else together.astype(np.float32)

    def _smaller(self, group: list[tuple[int, str, float]]) -> list[tuple[int, str, float]]:
        """Return the windows of a request that was too long, halved where they are the longest of it."""
        longest = max(len(part) for _, part, _ in group)
        smaller = []
        for owner, part, share in group:
            words = _WORD.findall(part)
            if len(part) < longest / 2 or len(words) < 2:
                if len(words) < 2 and len(part) == longest:
                    raise ModelError(
                        f"encoder {self._entry.name!r}: the server finds a single word too long; see context_length and embedding.prefix"
                    )
                smaller.append((owner, part, share))
                continue
            smaller += [(owner, half, share * weight) for half, weight in _windows(part, -(-len(words) // 2), 0.0)]
        return smaller

    async def _ask(self, call: Call, texts: list[str]) -> Any:
        """Return the vectors of one request, float32; None where the server finds a text too long."""

        async def attempt() -> Any:
            body = {"model": self._entry.model, "input": texts, "encoding_format": "float"}
            reply = await self._client.post(call, "/embeddings", body)
            if reply.status == 200:
                return self._read(reply.body, len(texts))
            if reply.status in {408, 429} or reply.status >= 500:
                raise TransientError(f"http_{reply.status}", reply.retry_after)
            if reply.status == 413 or (reply.status in {400, 422} and exceeds_context(reply.complaint)):
                return None
            raise await self._client.refusal(call, reply.status)

        result, _ = await call.pacing.persist(attempt)
        if isinstance(result, TransientError):
            raise ModelError(
                f"encoder {self._entry.name!r}: the server at {self._client.host} gave no vectors for {len(texts)} texts, last: "
                f"{result.word.replace('_', ' ')}; what is encoded so far is kept, materialize again to go on"
            )
        return result

    def _read(self, body: Any, n: int) -> Vectors:
        """Read vectors by their index; a body of another shape may be an error in disguise, so it is asked again."""
        try:
            items = sorted(body["data"], key=lambda item: item["index"])
            rows = [item["embedding"] for item in items]
            vectors = np.asarray(rows, dtype=np.float32)
            complete = [item["index"] for item in items] == list(range(n))
        except (TypeError, LookupError, ValueError, AttributeError):
            raise TransientError("not_json" if body is None else "unexpected_body") from None
        if not complete:
            raise TransientError("unexpected_body")
        if vectors.ndim != 2 or vectors.shape[1] != self._how.dimension:
            raise ModelError(
                f"encoder {self._entry.name!r}: the server's vectors have dimension {vectors.shape[-1]}, the catalogue says "
                f"{self._how.dimension}: mend embedding.dimension, or model, of its entry"
            )
        if not np.isfinite(vectors).all():
            raise ModelError(f"encoder {self._entry.name!r}: the server gave what is no number")
        return vectors


def _windows(text: str, words: int, overlap: float) -> list[tuple[str, float]]:
    """Return windows of so many words, each with its share of the text."""
    pieces = _WORD.findall(text)
    bounds = chunk_bounds(len(pieces), words, stride_of(words, overlap))
    if len(bounds) < 2:
        return [(text, 1.0)]
    shares = window_weights(bounds) / len(pieces)
    return [("".join(pieces[a:b]), float(share)) for (a, b), share in zip(bounds, shares, strict=True)]
