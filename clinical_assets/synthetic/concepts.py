"""The concepts of the demo hospital by short key: published OMOP ids where they are known, local ids otherwise.

Ids of 2,000,000,000 and above are OMOP's range for local concepts: they exist in this hospital only and must never
be taken for standard ids. LOINC and SNOMED rows among them carry a true code under a local id, so that a look-up by
(vocabulary_id, concept_code) works as it would with a full vocabulary. The two phase ids (4187635, 4211481) are used
as published by an earlier study; the names given to them here follow that use and await a real vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CONCEPTS", "LOCAL", "LOCAL_VOCABULARY", "Concept", "cid"]

LOCAL = 2_000_000_000
LOCAL_VOCABULARY = "DEMO"


@dataclass(frozen=True)
class Concept:
    """One row of ``concept``."""

    concept_id: int
    name: str
    domain: str
    vocabulary: str
    concept_class: str
    standard: str | None
    code: str


# key | concept_id | name | code; the heading of each block gives domain, vocabulary and class.
_PUBLISHED = """
# Condition | SNOMED | Clinical Finding
cml|134603|Chronic myeloid leukemia|92818009
cml_skin|4299154|Leukemic infiltration of skin in chronic myeloid leukemia|404153001
cml_accelerated|4187635|Accelerated phase chronic myeloid leukemia (name as used here)|413389003
cml_blast|4211481|Blastic phase chronic myeloid leukemia (name as used here)|413656006
aml|140352|Acute myeloid leukemia, disease|91861009
leukemia|317510|Leukemia|93143009
mds|138994|Myelodysplastic syndrome (clinical)|109995007
myeloma|437233|Multiple myeloma|109989006
cll|138379|Chronic lymphoid leukemia, disease|92814006
neutropenia|320073|Neutropenia|165517008
gvhd_chronic|434314|Chronic graft-versus-host disease|402356004
bmt_present|42537745|Bone marrow transplant present|737300001
hypertension|320128|Essential hypertension|59621000
diabetes2|201826|Type 2 diabetes mellitus|44054006
asthma|317009|Asthma|195967001
anemia|439777|Anemia|271737000
afib|313217|Atrial fibrillation|49436004
hypothyroidism|140673|Hypothyroidism|40930008
osteoarthritis|80180|Osteoarthritis|396275006
osteoporosis|80502|Osteoporosis|64859006
pneumonia|255848|Pneumonia|233604007
sinusitis|257012|Chronic sinusitis|40055000
bronchitis|260139|Acute bronchitis|10509002
cystitis|195588|Cystitis|38822007
gallstone|196456|Gallstone|235919008
rhinitis|4280726|Seasonal allergic rhinitis|367498001
cad|317576|Coronary arteriosclerosis|53741008
mi|4329847|Myocardial infarction|22298006
peptic_ulcer|4027663|Peptic ulcer|13200003
diverticular|4266809|Diverticular disease|397881000
colitis|81893|Ulcerative colitis|64766004
ra|80809|Rheumatoid arthritis|69896004
ankle_sprain|81151|Sprain of ankle|44465007
eczema|133834|Atopic dermatitis|24079001
colon_polyp|4285898|Polyp of colon|68496003
sle|257628|Systemic lupus erythematosus|55464009
lung_cancer|258369|Primary malignant neoplasm of lung|93880001
# Drug | RxNorm | Ingredient
imatinib|1304107|imatinib|282388
dasatinib|1358436|dasatinib|475342
nilotinib|1394023|nilotinib|662281
bosutinib|42900401|bosutinib|1307619
ponatinib|43013182|ponatinib|1364347
asciminib|702133|asciminib|2583725
hydroxyurea|1377141|hydroxyurea|5552
ruxolitinib|40244464|ruxolitinib|1193326
midostaurin|1594003|midostaurin|1919083
sunitinib|1336539|sunitinib|357977
cyclophosphamide|1310317|cyclophosphamide|3002
metformin|1503297|metformin|6809
lisinopril|1308216|lisinopril|29046
amlodipine|1332418|amlodipine|17767
atorvastatin|1545958|atorvastatin|83367
levothyroxine|1501700|levothyroxine|10582
aspirin|1112807|aspirin|1191
acetaminophen|1125315|acetaminophen|161
ibuprofen|1177480|ibuprofen|5640
albuterol|1154343|albuterol|435
prednisone|1551099|prednisone|8640
warfarin|1310149|warfarin|11289
methotrexate|1305058|methotrexate|6851
hydroxychloroquine|1777087|hydroxychloroquine|5521
oxytocin|1326115|oxytocin|7824
sertraline|739138|sertraline|36437
loratadine|1107830|loratadine|28889
amoxicillin|1713332|amoxicillin|723
ferrous|1396131|ferrous sulfate|24947
vincristine|1308290|vincristine|11202
lenalidomide|19026972|lenalidomide|342369
ondansetron|1000560|ondansetron|26225
# Drug | RxNorm | Clinical Drug
imatinib_100|19102501|imatinib 100 MG Oral Tablet|403878
amlodipine_5|1332419|Amlodipine 5 MG Oral Tablet|197361
atorvastatin_80|1545959|atorvastatin 80 MG Oral Tablet|259255
prednisone_5|1551192|Prednisone 5 MG Oral Tablet|312617
aspirin_81|19059056|Aspirin 81 MG Oral Tablet|243670
ibuprofen_200|19078461|Ibuprofen 200 MG Oral Tablet|310965
acetaminophen_325|1127433|Acetaminophen 325 MG Oral Tablet|313782
levothyroxine_75|40174880|Levothyroxine Sodium 0.075 MG Oral Tablet|966222
loratadine_10|1107882|Loratadine 10 MG Oral Tablet|311372
amoxicillin_500|19073188|Amoxicillin 500 MG Oral Tablet|308192
ferrous_325|19077344|ferrous sulfate 325 MG Oral Tablet|310325
# Procedure | SNOMED | Procedure
bmt|4028623|Transplantation of bone marrow|23719005
hsct|4120445|Hemopoietic stem cell transplant|234336002
hsct_autologous|46271079|Autologous hematopoietic stem cell transplant|709115004
ecg|4163951|Electrocardiographic procedure|29303009
chest_xray|4163872|Plain chest X-ray|399208008
transfusion|4108705|Intravenous blood transfusion of packed cells|180207008
bone_density|4195803|Bone density scan|312681000
blood_draw|4218408|Collection of blood specimen for laboratory|82078001
med_reconciliation|4326177|Medication Reconciliation|430193006
# Procedure | CPT4 | CPT4
hpc_allogeneic|2108456|Hematopoietic progenitor cell (HPC); allogeneic transplantation per donor|38240
hpc_autologous|2108457|Hematopoietic progenitor cell (HPC); autologous transplantation|38241
# Measurement | LOINC | Lab Test
hemoglobin|3000963|Hemoglobin|718-7
platelets|3007461|Platelet count|26515-7
wbc|3010813|White Blood cell (WBC) count (leukocyte)|26464-8
creatinine|3016723|Creatinine serum/plasma|2160-0
# Measurement | LOINC | Clinical Observation
sbp|3004249|Systolic blood pressure|8480-6
dbp|3012888|Diastolic blood pressure|8462-4
heart_rate|3027018|Heart rate|8867-4
# Visit | Visit | Visit
inpatient|9201|Inpatient Visit|IP
outpatient|9202|Outpatient Visit|OP
emergency|9203|Emergency Room Visit|ER
# Unit | UCUM | Unit
mmhg|8876|millimeter mercury column|mm[Hg]
percent|8554|percent|%
# Gender | Gender | Gender
male|8507|MALE|M
female|8532|FEMALE|F
# Race | Race | Race
white|8527|White|5
black|8516|Black or African American|3
asian|8515|Asian|2
# Ethnicity | Ethnicity | Ethnicity
hispanic|38003563|Hispanic or Latino|Hispanic
not_hispanic|38003564|Not Hispanic or Latino|Not Hispanic
# Type Concept | Type Concept | Type Concept
ehr|32817|EHR|OMOP4976890
ehr_prescription|32838|EHR prescription|OMOP4976911
"""

# key | offset above LOCAL | name | code (empty: the key); as above otherwise.
_LOCAL = """
# Measurement | LOINC | Lab Test
bcr_abl|1|BCR::ABL1 ratio, international scale, in blood or tissue by molecular method|46434-7
bcr_abl_marrow|2|BCR::ABL1 log ratio in bone marrow by molecular method|82905-1
ana|3|Antinuclear antibody in serum|
blood_loss|4|Blood loss at delivery|
gestation|5|Gestational age at delivery|
birth_weight|6|Birth weight|
crp|7|C-reactive protein in serum|
urine_protein|8|Protein in urine|
blasts|9|Blasts per 100 leukocytes in blood|
# Condition | SNOMED | Clinical Finding
gist|101|Gastrointestinal stromal tumor|420120006
hypereosinophilia|126|Hypereosinophilic syndrome|393573009
all|132|Acute lymphoid leukemia, disease|91857003
# Condition | DEMO | Clinical Finding
ph_all|102|Philadelphia chromosome positive acute lymphoblastic leukemia|
cmml|103|Chronic myelomonocytic leukemia|
retained_placenta|104|Retained placenta|
lupus_nephritis|105|Lupus nephritis|
drug_lupus|106|Drug-induced lupus erythematosus|
sickle_trait|107|Sickle cell trait|
leukocytosis|108|Leukocytosis|
hyperlipidemia|109|Hyperlipidemia|
gerd|110|Gastroesophageal reflux disease|
depression|111|Depressive disorder|
migraine|112|Migraine|
low_back_pain|113|Low back pain|
ckd|114|Chronic kidney disease|
copd|115|Chronic obstructive pulmonary disease|
joint_pain|116|Joint pain|
fatigue|117|Fatigue|
raynaud|118|Raynaud's phenomenon|
pregnancy|119|Pregnancy|
angiomyolipoma|120|Angiomyolipoma of kidney|
pleural_effusion|121|Pleural effusion|
edema|122|Peripheral edema|
nausea|123|Nausea|
rash|124|Eruption of skin|
postpartum_hemorrhage|125|Postpartum hemorrhage|
headache|127|Headache|
cough|128|Cough|
iron_deficiency|129|Iron deficiency|
obesity|130|Obesity|
acute_gvhd|131|Acute graft-versus-host disease|
# Drug | DEMO | Ingredient
allopurinol|201|allopurinol|
omeprazole|202|omeprazole|
cytarabine|203|cytarabine|
azacitidine|204|azacitidine|
daunorubicin|205|daunorubicin|
misoprostol|208|misoprostol|
gabapentin|209|gabapentin|
tacrolimus|210|tacrolimus|
hydralazine|211|hydralazine|
mycophenolate|212|mycophenolate|
furosemide|214|furosemide|
busulfan|215|busulfan|
# Drug | DEMO | Clinical Drug
imatinib_400|301|imatinib 400 MG Oral Tablet (local)|
dasatinib_100|302|dasatinib 100 MG Oral Tablet (local)|
nilotinib_150|303|nilotinib 150 MG Oral Capsule (local)|
bosutinib_500|304|bosutinib 500 MG Oral Tablet (local)|
ponatinib_45|305|ponatinib 45 MG Oral Tablet (local)|
asciminib_40|306|asciminib 40 MG Oral Tablet (local)|
hydroxyurea_500|307|hydroxyurea 500 MG Oral Capsule (local)|
metformin_500|308|metformin 500 MG Oral Tablet (local)|
lisinopril_10|309|lisinopril 10 MG Oral Tablet (local)|
hydroxychloroquine_200|310|hydroxychloroquine 200 MG Oral Tablet (local)|
oxytocin_inj|311|oxytocin 10 UNT/ML Injection (local)|
sertraline_50|312|sertraline 50 MG Oral Tablet (local)|
albuterol_inh|313|albuterol inhaler (local)|
warfarin_5|314|warfarin 5 MG Oral Tablet (local)|
methotrexate_25|315|methotrexate 2.5 MG Oral Tablet (local)|
sunitinib_50|316|sunitinib 50 MG Oral Capsule (local)|
# Procedure | DEMO | Procedure
marrow_biopsy|401|Bone marrow aspiration and biopsy|
manual_removal|402|Manual removal of placenta|
delivery|403|Vaginal delivery|
gist_resection|404|Resection of gastrointestinal stromal tumor|
urinalysis|405|Urinalysis with microscopy|
autoantibody_panel|406|Autoantibody panel|
complement_test|407|Complement C3 and C4 measurement|
office_visit|408|Office visit, established patient|
joint_xray|409|Radiograph of joint|
skin_biopsy|410|Skin biopsy|
renal_ultrasound|411|Ultrasound of kidneys|
flu_vaccine|412|Influenza vaccination|
donor_harvest|413|Bone marrow harvest from donor|
ct_abdomen|414|CT of abdomen|
phlebotomy_clinic|415|Phlebotomy clinic attendance|
# Observation | DEMO | Observable Entity
parity|501|Parity before delivery|
manual_removal_outcome|502|Manual removal of placenta required|
oxytocin_arm|503|Treatment given for retained placenta|
family_leukemia|504|Family history of leukemia|
smoking|505|Tobacco use|
risk_score|506|Genetic risk score for lupus (standardised)|
ph_chromosome|507|Philadelphia chromosome status|
registry_histology|508|Cancer registry histology code|
# Visit | DEMO | Visit
telephone|551|Telephone Encounter|
# Unit | DEMO | Unit
g_dl|601|gram per deciliter|g/dL
per_nl|602|thousand per microliter|10*3/uL
bpm|603|beats per minute|/min
ml|604|milliliter|mL
weeks|605|week|wk
grams|606|gram|g
mg_l|607|milligram per liter|mg/L
mg_dl|608|milligram per deciliter|mg/dL
titer|609|titer|{titer}
# Meas Value | DEMO | Qualifier Value
positive|651|Positive|
negative|652|Negative|
# Metadata | DEMO | Metadata
english|701|English language|en
utf8|702|UTF-8 encoding|UTF-8
clinical_note|703|Clinical note|
other_language|704|Language other than English|
"""


def _parse(block: str, offset: int) -> dict[str, Concept]:
    concepts: dict[str, Concept] = {}
    domain = vocabulary = concept_class = ""
    for line in block.strip().splitlines():
        if line.startswith("# "):
            domain, vocabulary, concept_class = (part.strip() for part in line[2:].split("|"))
            continue
        key, number, name, code = line.split("|")
        if key in concepts:
            raise ValueError(f"duplicate concept key {key}")
        # A lab of ours without a true code must not pass as LOINC.
        owner = LOCAL_VOCABULARY if offset and vocabulary == "LOINC" and not code else vocabulary
        concepts[key] = Concept(
            offset + int(number), name, domain, owner, concept_class, "S", code or key.upper().replace("_", "-")
        )
    return concepts


CONCEPTS: dict[str, Concept] = {**_parse(_PUBLISHED, 0), **_parse(_LOCAL, LOCAL)}
_IDS = {key: concept.concept_id for key, concept in CONCEPTS.items()}


def cid(key: str) -> int:
    """Return the concept_id behind a short key; KeyError names an unknown one."""
    return _IDS[key]
