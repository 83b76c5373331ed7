"""A tagger that trains in a second or two, for tests of everything around its quality."""

from __future__ import annotations

from pathlib import Path

from clinical_assets.entities.corpora.annotated import AnnotatedDocument, Mention
from clinical_assets.entities.corpora.landed import Placed
from clinical_assets.entities.corpora.training import Trained, gather, train_and_keep
from clinical_assets.entities.neural_tagger import NeuralSettings
from clinical_assets.entities.tagger_training import TaggerSettings

DRUGS = ("imatinib", "lithium", "naloxone", "warfarin", "aspirin", "metformin")
DISEASES = ("gout", "chronic renal failure", "anemia", "asthma", "stroke", "lupus nephritis")
TINY = TaggerSettings(
    iterations=15,
    share_held_back=0.3,
    network=NeuralSettings(width=16, depth=1, epochs=2, batch=4, rows=(100, 50, 50, 50)),
)


def document(i: int) -> AnnotatedDocument:
    drug, other, disease = DRUGS[i % 6], DRUGS[(i + 1 + i // 6) % 6], DISEASES[(i * 5 + i // 6) % 6]
    text, mentions = "", []
    for piece, kind in (
        (f"Case {i}. Given ", ""),
        (drug, "chemical"),
        (" for ", ""),
        (disease, "disease"),
        (" and ", ""),
        (other, "chemical"),
        (".", ""),
    ):
        if kind:
            mentions.append(Mention(len(text), len(text) + len(piece), kind))
        text += piece
    return AnnotatedDocument(f"d{i}", text, tuple(mentions))


def placed(n: int = 40, corpus: str = "tiny", split: str = "train") -> list[Placed]:
    return [Placed(corpus, split, document(i), f"{corpus}.txt", "0" * 64) for i in range(n)]


def train(models: Path, log=lambda _: None) -> Trained:
    given = gather(placed(), [("disease", "Gout")])
    return train_and_keep(models, given, ["Background text of no annotations."], TINY, log)
