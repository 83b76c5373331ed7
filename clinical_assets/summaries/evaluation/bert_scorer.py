"""BERTScore as the study asks for it: the encoder is read when there is something to score, and not before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from clinical_assets.study.summarizing import BertScore

__all__ = ["bert_scorer"]


def bert_scorer(
    rules: BertScore, device: str = "cpu"
) -> Callable[[Sequence[str], Sequence[str]], tuple[Sequence[Sequence[float]], str]]:
    """Return a function of (candidates, references): precision, recall and F1 of each pair, raw, and the encoder's identity.

    It raises ModelError where the encoder is missing or cannot be used.
    """

    def score(candidates: Sequence[str], references: Sequence[str]) -> tuple[Sequence[Sequence[float]], str]:
        from clinical_assets.summaries.bertscore import bert_scores
        from clinical_assets.summaries.encoders import encoder_entry, load_encoder

        # a folder is known by its own name, as its path differs between machines
        name = Path(rules.encoder).name if Path(rules.encoder).is_dir() else rules.encoder
        encoder = load_encoder(encoder_entry(name, rules.encoder), rules.layer, device=device)
        found = bert_scores(candidates, references, encoder)
        return list(zip(found.precision, found.recall, found.f1, strict=True)), found.encoder

    return score
