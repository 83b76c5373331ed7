"""Notes about CML: work-up, diagnosis, follow-up, discharge and telephone, written from the state of the disease."""

from __future__ import annotations

from clinical_assets.synthetic.chart import NoteSlot
from clinical_assets.synthetic.cml import CmlState, CmlStory
from clinical_assets.synthetic.dice import Dice
from clinical_assets.synthetic.note_parts import Writer
from clinical_assets.synthetic.phrases_cml import CML

__all__ = ["add_to_primary_care", "signature", "write_cml"]

_OTHERS = ("dasatinib", "nilotinib", "bosutinib", "ponatinib", "asciminib")
_RESPONSES = {
    "deep": "response_deep",
    "major": "response_major",
    "cytogenetic": "response_cytogenetic",
    "hematologic": "response_hematologic",
    "none": "response_none",
    "lost": "response_lost",
}


def signature(story: CmlStory, day: int) -> tuple[object, ...]:
    """Return what must be unchanged for a paragraph to be copied forward and still be true."""
    state = story.state(day)
    return (state.phase, state.drug, state.response, state.transplanted, state.off_treatment, len(state.past))


def _other(state: CmlState, dice: Dice) -> str:
    taken = {drug for drug, _ in state.past} | {state.drug}
    return dice.pick([drug for drug in _OTHERS if drug not in taken] or ["asciminib"])


def _diagnosis(w: Writer, state: CmlState, share: float) -> None:
    if not w.dice.chance(share):
        return
    bank = CML["dx_chronic"]
    if state.phase != "chronic":
        bank = tuple(phrase for phrase in bank if "cp_cml" not in phrase)
    for phrase, draft in w.any_of("hpi", bank):
        year = f" (diagnosed {w.blank.values['dx_year']})" if "{dx_year}" in phrase else ""
        draft.sum_up(f"Chronic myeloid leukemia{year}.")


def _treatment(w: Writer, state: CmlState, story: CmlStory) -> None:
    dice = w.dice
    if state.off_treatment:
        for _, draft in w.any_of("hpi", CML["tfr"]):
            draft.sum_up("Off TKI in treatment-free remission.")
        return
    for drug, _ in state.past[-2:]:
        if dice.chance(0.65):
            for _, draft in w.any_of("hpi", CML["past_drug"], 1, PAST=drug):
                draft.sum_up(f"Previously treated with {drug}.")
    if not state.drug:
        return
    if dice.chance(0.82):
        for phrase, draft in w.any_of("hpi", CML["on_drug"], 1, DRUG=state.drug, ADVERSE=story.adverse):
            dose = f" {w.blank.values['dose']}" if "{dose}" in phrase else ""
            draft.sum_up(f"On {state.drug}{dose}.")
        if dice.chance(0.5):
            w.line("meds", f"[[{state.drug}]] {{dose}}")
    else:
        for _, draft in w.any_of("hpi", CML["on_drug_unnamed"]):
            draft.sum_up("On a tyrosine kinase inhibitor.")


def _response(w: Writer, state: CmlState, section: str) -> None:
    if state.pcr is None:
        return
    # A low PCR beside an advanced phase may be response or sampling: the note gives the number and no verdict.
    plain = state.phase != "chronic" and state.response not in ("none", "lost")
    bank = CML["response_plain" if plain else _RESPONSES[state.response]]
    for phrase, draft in w.any_of(section, bank):
        told = " (remission)" if "@" in phrase and "rem" in phrase.rpartition("@")[2] else ""
        draft.sum_up(f"BCR::ABL1 {w.blank.values['pcr']}{told}." if "{pcr}" in phrase else f"Response reviewed{told}.")


def _phase(w: Writer, state: CmlState, story: CmlStory, day: int) -> None:
    dice = w.dice
    drug = state.drug or story.lines[0].drug
    for when, now, past, name in (
        (story.blast, "blast_now", "blast_past", "Blast phase"),
        (story.accelerated, "accelerated_now", "accelerated_past", "Accelerated phase"),
    ):
        if when is None or when > day or not dice.chance(0.85):
            continue
        recent = day - when < 150 and (now == "blast_now" or state.phase == "accelerated")
        for _, draft in w.any_of("hpi", CML[now if recent else past], 1, DRUG=drug):
            draft.sum_up(f"{name}{'' if recent else ' in the past'}.")


def _transplant(w: Writer, state: CmlState, story: CmlStory) -> None:
    dice = w.dice
    if not state.transplanted:
        if dice.chance(0.5):
            w.any_of(dice.pick(("hpi", "plan", "pmh")), CML["not_bmt"])
        return
    if dice.chance(0.88):
        before = story.transplant is not None and story.transplant < story.diagnosis
        bank = CML["bmt_done"] + (CML["bmt_relapse"] * 3 if before else ())
        for phrase, draft in w.any_of(dice.pick(("hpi", "hpi", "pmh")), bank):
            year = f" in {w.blank.values['bmt_year']}" if "{bmt_year}" in phrase else ""
            draft.sum_up(f"Previous stem cell transplant{year}.")


def _plan(w: Writer, state: CmlState, story: CmlStory, day: int) -> None:
    dice = w.dice
    advanced = [when for when in (story.accelerated, story.blast) if when is not None and when <= day]
    acute = bool(advanced) and day - max(advanced) < 150
    other = _other(state, dice)
    if dice.chance(0.35):
        _response(w, state, "plan")
    if state.phase == "chronic" and dice.chance(0.4):
        w.any_of(dice.pick(("plan", "hpi")), CML["not_blast"])
    if dice.chance(0.33):
        w.any_of("plan", CML["other_option"], 1, OTHER=other)
    drug = state.drug or "imatinib"
    if acute:
        bank = tuple(phrase for phrase in CML["plan_advanced"] if not (state.transplanted and "bmt" in phrase))
        used = w.any_of("plan", bank, dice.whole(1, 2), DRUG=drug, OTHER=other)
    elif state.response == "lost":
        used = w.any_of("plan", CML["plan_loss"], 1, OTHER=other)
    elif state.drug:
        used = w.any_of("plan", CML["plan_stay"], 1, DRUG=state.drug)
    else:
        used = w.general("plan", "plan")
    for _, draft in used:
        draft.sum_up(f"Plan: {draft.text()}")
    if dice.chance(0.5):
        w.general("plan", "plan", dice.whole(1, 2))


def _follow_up(w: Writer, story: CmlStory, slot: NoteSlot) -> None:
    dice, state = w.dice, story.state(slot.day)
    _diagnosis(w, state, 0.8 if slot.note_type == "Progress Notes" else 0.95)
    _phase(w, state, story, slot.day)
    _transplant(w, state, story)
    _treatment(w, state, story)
    if dice.chance(0.75):
        _response(w, state, "hpi")
    w.general("hpi", "interval", dice.whole(1, 3))
    w.background(0.7)
    if dice.chance(0.3):
        w.any_of("pmh", CML["history_line"])
    _plan(w, state, story, slot.day)


def write_cml(w: Writer, story: CmlStory, slot: NoteSlot) -> None:
    """Write the note of a person with CML for that slot."""
    dice, state = w.dice, story.state(slot.day)
    other = _other(state, dice)
    if slot.topic == "cml_workup":
        for _, draft in w.any_of("hpi", CML["workup"], dice.whole(1, 2)):
            draft.sum_up("Leukocytosis under investigation for possible chronic myeloid leukemia.")
        w.general("hpi", "interval", 2)
        w.background(0.7)
        w.general("plan", "plan", dice.whole(1, 2))
    elif slot.topic == "cml_diagnosis":
        for _, draft in w.any_of("hpi", CML["dx_new"], dice.whole(1, 2)):
            draft.sum_up("Newly diagnosed chronic myeloid leukemia.")
        _phase(w, state, story, slot.day)
        _transplant(w, state, story)
        w.general("hpi", "interval", 2)
        w.background(0.8)
        drug = story.lines[0].drug
        if story.lines[0].start > slot.day:
            for _, draft in w.any_of("plan", CML["start_drug"], 1, DRUG=drug, OTHER=other):
                draft.sum_up(f"Plan: {draft.text()}")
        if dice.chance(0.5) and state.phase == "chronic":
            w.any_of("plan", CML["not_blast"])
    elif slot.topic == "cml_phone":
        good = state.response in ("deep", "major", "cytogenetic") and state.phase == "chronic"
        bank = tuple(phrase for phrase in CML["phone"] if good or not ("rem" in phrase or "Pleased" in phrase))
        if not state.drug:
            bank = tuple(phrase for phrase in bank if "DRUG" not in phrase)
        for _, draft in w.any_of("hpi", bank, 1, DRUG=state.drug):
            draft.sum_up(draft.text())
    else:
        _follow_up(w, story, slot)


def add_to_primary_care(w: Writer, story: CmlStory, day: int) -> None:
    """Let the family doctor mention the leukaemia, or not."""
    state = story.state(day)
    if not state.known:
        return
    if w.dice.chance(0.6):
        w.any_of("pmh", CML["history_line"])
    if state.drug and w.dice.chance(0.5):
        w.line("meds", f"[[{state.drug}]] {{dose}}")
    if state.transplanted and w.dice.chance(0.5):
        w.any_of("pmh", CML["bmt_done"][:5])
    if state.phase == "blast" and w.dice.chance(0.4):
        w.any_of("pmh", CML["blast_past"][:1])
