"""Two families of rare condition names for the lupus question, equal in size and different in meaning only.

Each name is a local concept that few persons have, so that counting single codes tells little, while reading what the
names mean tells more. That is how the demo hospital gives text embeddings a signal of their own, and it is made up.
"""

from __future__ import annotations

from clinical_assets.synthetic.concepts import LOCAL, LOCAL_VOCABULARY, Concept

__all__ = ["AUTOIMMUNE", "FAMILY_CONCEPTS", "WEAR_AND_TEAR"]

_SITES = (
    "face", "scalp", "hands", "fingers", "wrists", "knees", "shoulders", "upper arms", "trunk", "ankles", "feet",
    "neck",
)  # fmt: skip
_AUTOIMMUNE = (
    "Photosensitive erythema", "Inflammatory arthralgia", "Morning stiffness with swelling", "Vasculitic purpura",
    "Livedo pattern", "Immune-mediated vesicular eruption", "Scarring discoid plaque", "Cold-induced colour change",
    "Sterile synovial effusion", "Autoimmune telangiectasia", "Mucosal-type ulceration", "Sun-induced papules",
    "Inflammatory tenosynovitis", "Periungual capillary dilation", "Interface dermatitis",
    "Non-scarring alopecic patch",
    "Tender nodular panniculitis", "Serositis-related pain", "Symmetric polyarticular swelling", "Cutaneous mucinosis",
)  # fmt: skip
_WEAR = (
    "Traumatic bruise", "Degenerative arthralgia", "Overuse strain", "Mechanical stiffness after exercise",
    "Minor laceration", "Contact irritation", "Benign skin tag", "Callus formation", "Insect bite reaction",
    "Superficial burn", "Muscle cramp", "Bony spur", "Posture-related pain", "Ligament sprain", "Fungal skin infection",
    "Benign naevus", "Dry skin patch", "Sports injury", "Friction blister", "Age-related skin change",
)  # fmt: skip


def _family(stems: tuple[str, ...], first: int) -> tuple[Concept, ...]:
    rows: list[Concept] = []
    for stem in stems:
        for site in _SITES:
            number = first + len(rows)
            rows.append(
                Concept(
                    LOCAL + number,
                    f"{stem} of {site}",
                    "Condition",
                    LOCAL_VOCABULARY,
                    "Clinical Finding",
                    "S",
                    f"F-{number}",
                )
            )
    return tuple(rows)


AUTOIMMUNE: tuple[Concept, ...] = _family(_AUTOIMMUNE, 10_001)
WEAR_AND_TEAR: tuple[Concept, ...] = _family(_WEAR, 20_001)
FAMILY_CONCEPTS: tuple[Concept, ...] = AUTOIMMUNE + WEAR_AND_TEAR
