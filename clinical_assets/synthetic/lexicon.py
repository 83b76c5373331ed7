"""Terms that notes use for a concept: surface forms with weights, entity type, and the concept behind them.

A term without a type (a transplant, a laboratory test) is text but no gold entity: gold entities are diseases and
chemicals. ``imatinib`` and the other ABL inhibitors also decide the two *mentioned* fields, whatever is said of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from clinical_assets.synthetic.concepts import cid

__all__ = ["LEXICON", "OTHER_TKI", "Term"]

OTHER_TKI = frozenset({"dasatinib", "nilotinib", "bosutinib", "ponatinib", "asciminib"})


@dataclass(frozen=True)
class Term:
    """A term: ``kind`` is DISEASE, CHEMICAL or empty; ``surfaces`` repeats a form as often as its weight says."""

    kind: str
    concept_id: int | None
    surfaces: tuple[str, ...]


# key | kind (D, C or -) | concept key (empty: none) | form*weight; form; …   (+ continues a row)
_ROWS = """
cml|D|cml|CML*12; chronic myeloid leukemia*5; chronic myelogenous leukemia*3; Ph+ CML*2
+ chronic myeloid leukaemia*2; chronic granulocytic leukemia; c.m.l.; chronic myelocytic leukemia
cml_long|D|cml|chronic myeloid leukemia*4; chronic myelogenous leukemia*3; chronic myeloid leukaemia*2
+ chronic granulocytic leukemia
cp_cml|D|cml|chronic phase CML*4; CP-CML*3; CML-CP; CML in chronic phase*2; chronic-phase chronic myeloid leukemia
bp_cml|D|cml_blast|blast phase CML*3; CML in blast crisis*4; blast crisis*3; CML, blast phase*2; BP-CML*2; CML-BP
+ blastic phase CML; blastic transformation*2; myeloid blast crisis*2; lymphoid blast crisis
bp_term|D|cml_blast|blast crisis*5; blast phase*4; blastic transformation*2; BC; BP-CML
ap_cml|D|cml_accelerated|accelerated phase CML*5; accelerated-phase CML*2; CML in accelerated phase*4; AP-CML*2
+ CML-AP; acute phase CML*4; CML, accelerated phase*2
ap_term|D|cml_accelerated|accelerated phase*6; acceleration*2; AP
aml|D|aml|AML*10; acute myeloid leukemia*5; acute myelogenous leukemia*2; acute myeloid leukaemia
+ acute myeloblastic leukemia
all|D||ALL*6; acute lymphoblastic leukemia*4; acute lymphocytic leukemia
ph_all|D|ph_all|Ph+ ALL*6; Philadelphia-positive ALL*3; Ph-positive acute lymphoblastic leukemia*3; BCR-ABL+ B-ALL*2
gist|D|gist|GIST*10; gastrointestinal stromal tumor*5; gastrointestinal stromal tumour; GI stromal tumor*2
cmml|D|cmml|CMML*8; chronic myelomonocytic leukemia*5; CMML-1*2
mds|D|mds|MDS*5; myelodysplastic syndrome*4; myelodysplasia
myeloma|D|myeloma|multiple myeloma*6; myeloma*5; IgG kappa myeloma*2; MM*2
cll|D|cll|CLL*5; chronic lymphocytic leukemia*3
leukemia|D|leukemia|leukemia*6; leukaemia*2
blood_cancer|D|leukemia|blood cancer*3; leukemia*4; leukaemia
sct_trait|D|sickle_trait|SCT*5; sickle cell trait*3; sickle trait*2
angiomyolipoma|D|angiomyolipoma|AML*5; angiomyolipoma*4
imatinib|C|imatinib|imatinib*14; Gleevec*6; imatinib mesylate*3; Glivec*2; STI571; STI-571; IMATINIB; imatinb
dasatinib|C|dasatinib|dasatinib*8; Sprycel*4; Dasatinib
nilotinib|C|nilotinib|nilotinib*8; Tasigna*4
bosutinib|C|bosutinib|bosutinib*8; Bosulif*3
ponatinib|C|ponatinib|ponatinib*8; Iclusig*3
asciminib|C|asciminib|asciminib*8; Scemblix*3
hydroxyurea|C|hydroxyurea|hydroxyurea*6; Hydrea*3; HU
ruxolitinib|C|ruxolitinib|ruxolitinib*4; Jakafi*2
midostaurin|C|midostaurin|midostaurin
sunitinib|C|sunitinib|sunitinib*5; Sutent*2
cytarabine|C|cytarabine|cytarabine*5; ara-C*3; HiDAC*2
daunorubicin|C|daunorubicin|daunorubicin
azacitidine|C|azacitidine|azacitidine*5; Vidaza*2; aza
vincristine|C|vincristine|vincristine
lenalidomide|C|lenalidomide|lenalidomide*4; Revlimid*3
tacrolimus|C|tacrolimus|tacrolimus*4; tacro; Prograf
allopurinol|C|allopurinol|allopurinol
busulfan|C|busulfan|busulfan
ondansetron|C|ondansetron|ondansetron*3; Zofran*2
furosemide|C|furosemide|furosemide*3; Lasix*2
mycophenolate|C|mycophenolate|mycophenolate*3; MMF*2
hydroxychloroquine|C|hydroxychloroquine|hydroxychloroquine*4; Plaquenil*3; HCQ*2
prednisone|C|prednisone|prednisone*5; pred
hydralazine|C|hydralazine|hydralazine
oxytocin|C|oxytocin|oxytocin*5; Pitocin*2; Syntocinon
misoprostol|C|misoprostol|misoprostol
lisinopril_10|C|lisinopril|lisinopril
metformin_500|C|metformin|metformin
atorvastatin_80|C|atorvastatin|atorvastatin*4; Lipitor
levothyroxine_75|C|levothyroxine|levothyroxine*4; Synthroid
albuterol_inh|C|albuterol|albuterol*3; albuterol inhaler
omeprazole|C|omeprazole|omeprazole*4; Prilosec
sertraline_50|C|sertraline|sertraline*4; Zoloft
ibuprofen_200|C|ibuprofen|ibuprofen
warfarin_5|C|warfarin|warfarin*3; Coumadin
gabapentin|C|gabapentin|gabapentin
methotrexate_25|C|methotrexate|methotrexate*3; MTX
aspirin_81|C|aspirin|aspirin*3; ASA
acetaminophen|C|acetaminophen|acetaminophen*4; Tylenol*2; paracetamol
amoxicillin|C|amoxicillin|amoxicillin
ferrous|C|ferrous|ferrous sulfate*2; oral iron
bmt|-||bone marrow transplant*5; BMT*7; stem cell transplant*4; allogeneic SCT*2; alloSCT*2; HSCT*3
+ allogeneic stem cell transplant*2; marrow transplantation; stem-cell transplantation; allo-HCT
asct|-||autologous stem cell transplant*4; ASCT*4; auto-SCT*2; autologous HSCT*2
hypertension|D|hypertension|hypertension*4; HTN*5; high blood pressure
diabetes2|D|diabetes2|type 2 diabetes*4; T2DM*4; DM2*2; diabetes mellitus type 2
hyperlipidemia|D|hyperlipidemia|hyperlipidemia*4; HLD*2; dyslipidemia*2
hypothyroidism|D|hypothyroidism|hypothyroidism
asthma|D|asthma|asthma
gerd|D|gerd|GERD*4; gastroesophageal reflux disease; acid reflux*2
depression|D|depression|depression*4; major depressive disorder*2; MDD
osteoarthritis|D|osteoarthritis|osteoarthritis*3; OA*2; knee osteoarthritis
afib|D|afib|atrial fibrillation*3; AF*2; afib*3
copd|D|copd|COPD*5; emphysema
migraine|D|migraine|migraine*3; migraines
low_back_pain|D|low_back_pain|low back pain*3; LBP*2; chronic back pain
ckd|D|ckd|CKD stage 3*3; chronic kidney disease*2; CKD
colitis|D|colitis|ulcerative colitis*3; UC
ra|D|ra|rheumatoid arthritis*3; RA*2
osteoporosis|D|osteoporosis|osteoporosis
cad|D|cad|coronary artery disease*2; CAD*4
obesity|D|obesity|obesity
diverticular|D|diverticular|diverticulosis
anemia|D|anemia|anemia*4; anaemia
neutropenia|D|neutropenia|neutropenia
thrombocytopenia|D||thrombocytopenia
pleural_effusion|D|pleural_effusion|pleural effusion*3; pleural effusions*2; effusion
edema|D|edema|edema*3; fluid retention*2; swelling around the eyes; oedema
nausea|D|nausea|nausea
rash|D|rash|rash*4; skin rash
fatigue|D|fatigue|fatigue
gvhd|D|gvhd_chronic|chronic GVHD*3; GVHD*3; graft-versus-host disease; cGVHD
leukocytosis|D|leukocytosis|leukocytosis*5; leucocytosis; high white count
hes|D|hypereosinophilia|hypereosinophilic syndrome*2; HES
sle|D|sle|SLE*4; lupus*5; systemic lupus erythematosus*2
nephritis|D|lupus_nephritis|lupus nephritis*3; class IV lupus nephritis
drug_lupus|D|drug_lupus|drug-induced lupus
raynaud|D|raynaud|Raynaud's*3; Raynaud phenomenon
joint_pain|D|joint_pain|joint pain*4; arthralgia*2; arthralgias
pneumonia|D|pneumonia|pneumonia
bronchitis|D|bronchitis|bronchitis
cystitis|D|cystitis|UTI*3; cystitis
sinusitis|D|sinusitis|sinusitis
cough|D|cough|cough
headache|D|headache|headache*3; headaches
fever|D||fever*3; fevers*2
ankle_sprain|D|ankle_sprain|ankle sprain
retained_placenta|D|retained_placenta|retained placenta*5; retained afterbirth
pph|D|postpartum_hemorrhage|postpartum hemorrhage*3; PPH*3; postpartum haemorrhage
lung_cancer|D|lung_cancer|lung cancer
breast_cancer|D||breast cancer*3; breast CA
stroke|D||stroke*3; CVA
mi|D|mi|heart attack*2; MI*2; myocardial infarction
"""


def _parse() -> dict[str, Term]:
    kinds = {"D": "DISEASE", "C": "CHEMICAL", "-": ""}
    lexicon: dict[str, Term] = {}
    for line in _ROWS.strip().replace("\n+ ", "; ").splitlines():
        key, kind, concept, forms = line.split("|")
        surfaces: list[str] = []
        for form in forms.split("; "):
            text, _, weight = form.partition("*")
            surfaces += [text] * int(weight or 1)
        lexicon[key] = Term(kinds[kind], cid(concept) if concept else None, tuple(surfaces))
    return lexicon


LEXICON: dict[str, Term] = _parse()
