"""Small annotated texts for the tests of relations: one chemical that does harm, one that is given for a disease."""

from __future__ import annotations

import random
import re

from clinical_assets.entities.relations.documents import Document, Mention, Pair, read_document

_CHEMICALS = ["lithium", "cisplatin", "amiodarone", "heparin", "warfarin", "digoxin"]
_HARMS = ["tremor", "renal failure", "thyroiditis", "bleeding", "rash", "arrhythmia"]
_ILLS = ["mania", "ovarian cancer", "hypertension", "thrombosis"]


def marked(text: str, doc_id: str = "d") -> Document:
    """Return a document of a text in which [chemicals] and {diseases} are marked; the key of each is its folded name."""
    mentions, plain, place = [], "", 0
    for match in re.finditer(r"\[([^\]]+)\]|\{([^}]+)\}", text):
        plain += text[place : match.start()]
        name = match.group(1) or match.group(2)
        kind = "chemical" if match.group(1) else "disease"
        mentions.append(Mention(len(plain), len(plain) + len(name), kind, (name.lower(),)))
        plain += name
        place = match.end()
    return read_document(doc_id, plain + text[place:], mentions)


def written(n: int, seed: int = 0) -> tuple[list[Document], list[set[Pair]]]:
    """Return documents whose wording says what is a relation, and their relations."""
    draw = random.Random(seed)
    documents, gold = [], []
    for i in range(n):
        culprit, helper = draw.sample(_CHEMICALS, 2)
        harm, ill = draw.choice(_HARMS), draw.choice(_ILLS)
        told = draw.choice(
            [
                f"[{culprit}]-induced {{{harm}}}.",
                f"{{{harm}}} after [{culprit}].",
                f"[{culprit}] caused {{{harm}}} in a man.",
            ]
        )
        other = draw.choice(
            [f"Patients with {{{ill}}} were given [{helper}].", f"[{helper}] was used in the treatment of {{{ill}}}."]
        )
        documents.append(marked(f"{told} {other} The [{culprit}] was stopped.", f"d{i}"))
        gold.append({(culprit, harm)})
    return documents, gold
