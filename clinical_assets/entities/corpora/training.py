"""What the tagger is trained on: which corpora, which names, which texts; and the training as one step that can be stopped and resumed."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clinical_assets.entities.corpora.annotated import CorpusError
from clinical_assets.entities.corpora.landed import BACKGROUND, LIMITS, MAX_DOCUMENT_CHARS, Placed
from clinical_assets.entities.corpora.splits import article_keys
from clinical_assets.entities.names import Names, collect_names
from clinical_assets.entities.neural_tagger import NeuralSettings
from clinical_assets.entities.tagger_store import FOLDER, Stages, TaggerError, keep_tagger, open_verified, promote
from clinical_assets.entities.tagger_training import Gold, TaggerSettings, train_tagger
from clinical_assets.notes.guards import is_ignored, read_guarded

__all__ = ["Trained", "TrainingInput", "gather", "read_background", "settings_for", "train_and_keep"]

_VERSION = "1"  # of features and training: another one trains anew
_SMALL = 400_000  # characters of training text below which the quick settings are used


@dataclass(frozen=True)
class TrainingInput:
    """What training reads.

    Attributes
    ----------
    corpora
        Those that are trained on.
    documents
        Their train splits, without articles that another corpus holds in dev or test.
    names
        Names of the vocabulary, and those annotated in the train splits of the other corpora.
    n_leaking
        Documents left out because they are judged elsewhere.
    """

    corpora: tuple[str, ...]
    documents: tuple[Gold, ...]
    names: Names
    n_leaking: int


@dataclass(frozen=True)
class Trained:
    """The promoted model's digest and what is worth telling of its training."""

    digest: str
    told: dict[str, Any]


def gather(
    placed: Sequence[Placed], vocabulary: Iterable[tuple[str, str]], train_on: Sequence[str] = ()
) -> TrainingInput:
    """Choose what to train on.

    Parameters
    ----------
    vocabulary
        (type, name) of every name of the vocabulary.
    train_on
        Corpora; empty: those that annotate the most types, as training on one that leaves a type out would teach to leave it out.

    Raises
    ------
    CorpusError
        If no corpus is landed, one of `train_on` is not, or none has documents with mentions in a train split.
    """
    judged = {key for p in placed if p.split != "train" for key in article_keys(p.document.doc_id, p.document.text)}
    train = [p for p in placed if p.split == "train"]
    clean = [p for p in train if not judged & set(article_keys(p.document.doc_id, p.document.text))]
    corpora = _chosen(clean, train_on, {p.corpus for p in placed})
    documents = tuple(
        Gold(p.document.text, tuple((m.start, m.end, m.entity_type) for m in p.document.mentions))
        for p in sorted(clean, key=lambda p: (p.corpus, p.document.doc_id))
        if p.corpus in corpora
    )
    others = (
        ("corpora", m.entity_type, p.document.text[m.start : m.end])
        for p in clean
        if p.corpus not in corpora
        for m in p.document.mentions
    )
    names = collect_names([*others, *(("vocabulary", kind, name) for kind, name in vocabulary)])
    return TrainingInput(corpora, documents, names, len(train) - len(clean))


def _chosen(train: Sequence[Placed], wanted: Sequence[str], landed: set[str]) -> tuple[str, ...]:
    missing = sorted(set(wanted) - landed)
    if missing:
        raise CorpusError(
            f"entities.train_on names {', '.join(missing)}; landed are {', '.join(sorted(landed)) or 'none'}: mend the study or land it"
        )
    kinds: dict[str, set[str]] = defaultdict(set)
    sizes: Counter[str] = Counter()
    for p in train:
        kinds[p.corpus] |= {m.entity_type for m in p.document.mentions}
        sizes[p.corpus] += len(p.document.mentions)
    usable = [c for c in sorted(kinds) if kinds[c] and (not wanted or c in wanted)]
    if not usable:
        raise CorpusError(
            "no annotated document in a train split: land PubTator files or JSON lines in landing/corpora, e.g. <name>_train.PubTator.txt"
        )
    if wanted:
        return tuple(usable)
    largest = max(usable, key=lambda c: (len(kinds[c]), sizes[c], c))
    return tuple(c for c in usable if kinds[c] == kinds[largest])


def read_background(folder: Path) -> Iterator[str]:
    """Yield the texts of ``*.background.txt`` (or .gz) in landing/corpora: one a line, without annotations.

    Raises
    ------
    UnreadableBatch
        If a file is damaged or too large.
    """
    found = folder.glob(f"*{BACKGROUND}.txt*") if folder.is_dir() else iter(())
    for path in sorted(p for p in found if p.is_file() and not is_ignored(p.name)):
        text = read_guarded(path, LIMITS).to_pybytes().decode("utf-8", "replace")
        yield from (line[:MAX_DOCUMENT_CHARS] for line in text.split("\n") if line.strip())


def settings_for(documents: Sequence[Gold], *, with_network: bool = False) -> TaggerSettings:
    """Return the settings for so much text: a small corpus needs neither 60 iterations nor a wide network, and trains a narrow one.

    Parameters
    ----------
    with_network
        Train a wide network beside the field on a large corpus: a little better, and three times slower to extract with.
    """
    if sum(len(one.text) for one in documents) >= _SMALL:
        return TaggerSettings() if with_network else replace(TaggerSettings(), network=None)
    small = NeuralSettings(
        width=32, depth=2, epochs=3, patience=2, batch=3, learning_rate=0.003, rows=(2000, 500, 1000, 1000)
    )
    return replace(TaggerSettings(), iterations=15, network=small)


def train_and_keep(
    models: Path,
    given: TrainingInput,
    background: Sequence[str],
    settings: TaggerSettings,
    log: Callable[[str], None],
) -> Trained:
    """Train, keep the model content-addressed and promote it; what a stopped run finished of the same training is not done again.

    The same input gives the same model: when it is kept already, nothing is trained.
    """
    digest = _digest(given, background, settings)
    folder = models / FOLDER
    record = folder / f"trained.{digest}.json"
    if record.exists():
        said = json.loads(record.read_text(encoding="utf-8"))
        try:
            open_verified(models, said["model_sha"])
        except TaggerError:
            record.unlink()
        else:
            log("the same training was done before: its model is kept")
            promote(models, said["model_sha"])
            return Trained(said["model_sha"], {**said["told"], "n_trained": 0})
    stages = Stages(folder / f".training.{digest}")
    told = train_tagger(given.documents, background, given.names, settings, stages, log)
    told |= {"corpora": list(given.corpora), "n_leaking": given.n_leaking}
    described = {**told, "training_sha": digest, "settings": settings.described()}
    kept = keep_tagger(models, stages, described)
    temporary = record.with_name(f".{record.name}.tmp")
    temporary.write_text(json.dumps({"model_sha": kept, "told": told}, sort_keys=True), encoding="utf-8")
    temporary.replace(record)
    stages.discard()
    return Trained(kept, {**told, "n_trained": 1})


def _digest(given: TrainingInput, background: Sequence[str], settings: TaggerSettings) -> str:
    sha = hashlib.sha256(json.dumps([_VERSION, settings.described(), given.names.to_json()], sort_keys=True).encode())
    for one in given.documents:
        sha.update(json.dumps([one.text, one.mentions]).encode())
    for text in background:
        sha.update(b"\x00" + text.encode("utf-8", "surrogatepass"))
    return sha.hexdigest()[:32]
