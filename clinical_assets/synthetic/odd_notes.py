"""Notes that are hardly notes: stubs, pointers to a scan, blank text, other languages. They have no gold labels."""

from __future__ import annotations

from clinical_assets.synthetic.dice import Dice

__all__ = ["ODD_KINDS", "lab_printout", "odd_text"]

ODD_KINDS = ("scanned_pointer", "stub", "blank", "not_english")

_SCANNED = (
    "See scanned image for notes.",
    "see scanned image",
    "Please refer to the scanned document in Media tab.",
    "Paper note scanned - see image.",
    "*** SCANNED DOCUMENT - SEE IMAGE ***",
)
_STUBS = (
    "Erroneous encounter - please disregard.",
    "ERRONEOUS ENCOUNTER",
    "Opened in error.",
    "Patient left without being seen.",
    "No show.",
    "Chart opened in error, no note.",
)
_BLANK = ("", " ", "\n\n", "   \n ", "\t")
_FOREIGN = (
    "Paciente de {age} años que acude a revisión. Refiere cansancio desde hace un mes, sin fiebre ni pérdida de "
    "peso. Exploración sin hallazgos. Se solicita analítica y se cita en tres meses. Continúa con su "
    "tratamiento habitual.",
    "Patient vu ce jour pour un contrôle. Il se sent bien, pas de fièvre, pas de douleur. Examen clinique sans "
    "particularité. La tension est bonne. On poursuit le traitement et on se revoit dans six mois avec un bilan.",
    "Der Patient stellt sich zur Verlaufskontrolle vor. Keine Beschwerden, kein Fieber, guter Appetit. Der "
    "Untersuchungsbefund ist unauffällig. Die Medikamente werden weiter eingenommen. Wiedervorstellung "
    "in drei Monaten.",
    "El paciente viene con su hija. Dolor de rodilla al caminar, sin inflamación. Tensión arterial controlada. Se "
    "recomienda ejercicio suave y paracetamol si precisa. Próxima visita en seis meses.",
)


def odd_text(kind: str, dice: Dice, age: str) -> str:
    """Return the text of an odd note of that kind."""
    banks = {"scanned_pointer": _SCANNED, "stub": _STUBS, "blank": _BLANK, "not_english": _FOREIGN}
    return dice.pick(banks[kind]).replace("{age}", age)


_ANALYTES = (
    ("Sodium", 132, 146, "mmol/L"), ("Potassium", 3, 5, "mmol/L"), ("Chloride", 95, 110, "mmol/L"),
    ("Glucose", 70, 180, "mg/dL"), ("BUN", 6, 30, "mg/dL"), ("Calcium", 8, 10, "mg/dL"), ("ALT", 8, 60, "U/L"),
    ("AST", 8, 55, "U/L"), ("LDH", 110, 290, "U/L"), ("Uric acid", 3, 8, "mg/dL"), ("MCV", 78, 101, "fL"),
    ("Neutrophils", 35, 78, "%"), ("Lymphocytes", 12, 48, "%"), ("Monocytes", 2, 11, "%"),
)  # fmt: skip


def lab_printout(dice: Dice, n_days: int) -> str:
    """Return a pasted table of laboratory results, the usual reason why a note is very long (600 characters a day)."""
    lines = ["", "Results (last 24 months):"]
    for number in range(n_days):
        lines.append(f"--- collection {number + 1} ---")
        for name, low, high, unit in _ANALYTES:
            lines.append(f"{name:<14}{low + dice.u() * (high - low):>8.1f} {unit:<8} ref {low}-{high}")
    return "\n".join(lines) + "\n"
