"""Notes that are not about CML: other haematology, oncology, rheumatology, obstetrics and primary care."""

from __future__ import annotations

from collections.abc import Callable

from clinical_assets.synthetic.chart import NoteSlot
from clinical_assets.synthetic.cml import CmlStory
from clinical_assets.synthetic.lupus import LupusStory
from clinical_assets.synthetic.malignancy import CancerStory
from clinical_assets.synthetic.note_parts import Writer
from clinical_assets.synthetic.note_text import Draft
from clinical_assets.synthetic.notes_cml import add_to_primary_care
from clinical_assets.synthetic.obstetrics import DeliveryStory
from clinical_assets.synthetic.phrases_cml import CML
from clinical_assets.synthetic.phrases_general import OBSTETRIC, RHEUM
from clinical_assets.synthetic.phrases_haem import HAEM

__all__ = ["write_other"]


def _keep(used: list[tuple[str, Draft]], prefix: str = "") -> None:
    """Take the sentences into the summary as they were written."""
    for _, draft in used:
        draft.sum_up(prefix + draft.text())


def _usual(w: Writer, share: float = 0.7, keep_plan: bool = True) -> None:
    w.general("hpi", "interval", w.dice.whole(1, 3))
    w.background(share)
    used = w.plan(w.dice.whole(1, 3))
    if keep_plan:
        _keep(used[:1], "Plan: ")


def _no_transplant(w: Writer, share: float = 0.3) -> None:
    if w.dice.chance(share):
        w.any_of("plan", CML["not_bmt"][:4])


def _aml(w: Writer, story: CancerStory, slot: NoteSlot) -> None:
    _keep(w.any_of("hpi", HAEM["aml"]))
    remission = story.remission is not None and story.remission <= slot.day
    _keep(w.any_of("hpi", HAEM["aml_remission" if remission else "aml_active"]))
    if story.transplant is not None and story.transplant <= slot.day:
        if w.dice.chance(0.85):
            _keep(w.any_of("hpi", CML["bmt_done"]))
    else:
        _no_transplant(w, 0.45)
    _usual(w)


def _gist(w: Writer, story: CancerStory, slot: NoteSlot) -> None:
    later = story.current(slot.day) == "sunitinib"
    if later:
        w.line("hpi", "{age} y/o {sex} with [[gist]], {metastatic|recurrent} since {dx_year}.")
        _keep(w.any_of("hpi", HAEM["gist_sunitinib"]))
    else:
        _keep(w.any_of("hpi", HAEM["gist"]))
    if w.dice.chance(0.35):
        w.any_of("plan", HAEM["gist_note"])
    _usual(w)


def _ph_all(w: Writer, story: CancerStory, slot: NoteSlot) -> None:
    drug = story.current(slot.day) or "imatinib"
    _keep(w.any_of("hpi", HAEM["ph_all"], 1, DRUG=drug))
    if story.remission is not None and story.remission <= slot.day:
        _keep(w.any_of("hpi", HAEM["ph_all_remission"]))
    if story.transplant is not None and story.transplant <= slot.day:
        if w.dice.chance(0.85):
            _keep(w.any_of("hpi", CML["bmt_done"]))
    else:
        _no_transplant(w)
    _usual(w)


def _myeloma(w: Writer, story: CancerStory, slot: NoteSlot) -> None:
    done = story.transplant is not None and story.transplant <= slot.day
    _keep(w.any_of("hpi", HAEM["myeloma" if done else "myeloma_before"]))
    _usual(w)


def _simple(bank: str, share: float = 1.0) -> Callable[[Writer, CancerStory, NoteSlot], None]:
    def write(w: Writer, _story: CancerStory, _slot: NoteSlot) -> None:
        if w.dice.chance(share):
            section = "family" if bank == "family" else "hpi"
            _keep(w.any_of(section, HAEM[bank], 2 if bank == "family" and w.dice.chance(0.25) else 1))
        if bank == "family":
            w.general("hpi", "opening")
            if w.dice.chance(0.35):
                w.any_of("plan", HAEM["family_worry"])
        if bank in ("ruled_out", "donor", "sickle", "suspected") and w.dice.chance(0.4):
            w.general("hpi", "opening")
        _usual(w)

    return write


_CANCER: dict[str, Callable[[Writer, CancerStory, NoteSlot], None]] = {
    "aml": _aml,
    "aml_discharge": _aml,
    "gist": _gist,
    "ph_all": _ph_all,
    "myeloma": _myeloma,
    "cml_suspected": _simple("suspected"),
    "cml_ruled_out": _simple("ruled_out"),
    "cmml": _simple("cmml"),
    "sickle_trait": _simple("sickle", 0.85),
    "marrow_donor": _simple("donor", 0.85),
    "family_history": _simple("family", 0.75),
}


def _rheumatology(w: Writer, story: LupusStory, slot: NoteSlot) -> None:
    dice = w.dice
    sick = story.lupus is not None and story.lupus <= slot.day
    if slot.topic == "ana_referral":
        _keep(w.any_of("hpi", RHEUM["referral"]))
    lean = 0.5 + 0.25 * story.flavour + (0.3 if sick else 0)
    used = [w.any_of("hpi", RHEUM["active" if dice.chance(lean) else "quiet"])[0] for _ in range(2)]
    _keep(used[:1])
    _keep(w.any_of("plan", RHEUM["assess_sle" if sick else "assess_no"]))
    if any(fact.source == "M32.14" and fact.start <= slot.day for fact in w.chart.conditions) and dice.chance(0.7):
        _keep(w.any_of("plan", RHEUM["nephritis"]))
    _usual(w, keep_plan=False)


def _obstetric(w: Writer, story: DeliveryStory, slot: NoteSlot) -> None:
    if slot.topic == "antenatal":
        _keep(w.any_of("hpi", OBSTETRIC["antenatal"]))
        _usual(w, 0.5)
        return
    if slot.topic == "postnatal":
        _keep(w.any_of("hpi", OBSTETRIC["postnatal"]))
        _usual(w, 0.4)
        return
    _keep(w.any_of("hpi", OBSTETRIC["delivery"]))
    _keep(w.any_of("hpi", OBSTETRIC["vitals"]))
    w.any_of("hpi", OBSTETRIC["oxytocin" if story.oxytocin else "no_oxytocin"])
    if story.recorded is not None:
        _keep(w.any_of("hpi", OBSTETRIC["removal" if story.removal else "no_removal"]))
    heavy = (story.blood_loss or 0) > 700
    w.any_of("plan", OBSTETRIC["pph" if heavy else "no_pph"])
    w.background(0.3)


def _primary_care(w: Writer, slot: NoteSlot) -> None:
    if slot.note_type == "Telephone Encounter":
        _keep(w.general("hpi", "phone"))
        return
    _keep(w.general("hpi", "opening"))
    w.background(0.8)
    w.general("hpi", "interval", w.dice.whole(1, 4))
    _keep(w.plan(w.dice.whole(2, 4)), "Plan: ")


def write_other(w: Writer, slot: NoteSlot) -> None:
    """Write the note of that slot for a person seen for something other than CML."""
    story = w.chart.story
    writer = _CANCER.get(slot.topic)
    if writer is not None and isinstance(story, CancerStory):
        writer(w, story, slot)
    elif slot.topic in ("ana_referral", "rheumatology"):
        _rheumatology(w, story, slot)
    elif slot.topic in ("antenatal", "delivery", "postnatal"):
        _obstetric(w, story, slot)
    else:
        _primary_care(w, slot)
        if isinstance(story, CmlStory):
            add_to_primary_care(w, story, slot.day)
        elif isinstance(story, CancerStory) and w.chart.archetype == "aml" and w.dice.chance(0.5):
            w.line("pmh", "[[aml]] @aml")
