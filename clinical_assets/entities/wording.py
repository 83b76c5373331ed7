"""How language models are asked for entities: one wording, for training and for asking. Its digest stands with every adapter."""

from __future__ import annotations

from clinical_assets.language_models.prompts import Prompt
from clinical_assets.language_models.span_lists import ListSpec, SpanLists

__all__ = ["ENTITY_LISTS", "ENTITY_PROMPT", "LISTED_TYPES"]

# The three tasks of the seed in one answer, so that a note is read once. An influence is a chemical and a disease that it induces.
ENTITY_LISTS = SpanLists((ListSpec("chemicals"), ListSpec("diseases"), ListSpec("influences", 2)))
LISTED_TYPES = ("chemical", "disease")  # of the first lists

ENTITY_PROMPT = Prompt(
    system=(
        "You read a medical text and list what it names. Copy words exactly as they stand in the text, with their case and hyphens, "
        "whole terms, each once.\n"
        "chemicals: drugs and other chemical substances.\n"
        "diseases: diseases, symptoms, abnormal findings.\n"
        "influences: a chemical and a disease that the text says it induces, with | between them.\n"
        'Write the three lists in this order, one item a line after "- ". Write none where there is nothing to list. No explanations.'
    ),
    user="<note>\n{note}\n</note>",
)
