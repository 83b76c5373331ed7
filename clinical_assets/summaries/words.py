"""Words that the fact extractor knows without any vocabulary: names of labs, vitals, units, common drugs and diseases.

Lists only. ``a = b c`` reads: the names b and c (``_`` is a blank) are normalised to a, and so is a itself. They are short on
purpose: what a hospital's own tables name comes from its vocabulary.
"""

from __future__ import annotations

from functools import lru_cache

__all__ = [
    "CONNECTORS",
    "DISEASES",
    "DOSE_UNITS",
    "DRUGS",
    "DRUG_ENDINGS",
    "FREQUENCIES",
    "LABS",
    "MONTHS",
    "PROCEDURES",
    "UNITS",
    "VITALS",
    "read_list",
]


@lru_cache(maxsize=32)
def read_list(text: str) -> dict[str, str]:
    """Return name -> normal form, both with blanks for ``_``."""
    out: dict[str, str] = {}
    for line in text.strip().splitlines():
        normal, _, others = line.partition("=")
        for name in (normal, *others.split()):
            out[name.strip().replace("_", " ")] = normal.strip().replace("_", " ")
    return out


# Names are written as the extractor cuts text into words: a hyphen stands by itself.
VITALS = """
bp = blood_pressure bps
hr = heart_rate pulse
rr = resp_rate respiratory_rate resps resp
temp = t temperature tmax
spo2 = o2_sat o2_sats sat sats o2_saturation oxygen_saturation sao2
weight = wt
height = ht
bmi = body_mass_index
ecog = ecog_ps ecog_performance_status
kps = karnofsky
pain = pain_score
gcs = glasgow_coma_scale
phq-2 = phq_-_2 phq2
phq-9 = phq_-_9 phq9
"""

LABS = """
hemoglobin = hb hgb haemoglobin
hematocrit = hct haematocrit
wbc = wcc white_count white_blood_cells white_cells leukocytes
platelets = plt plts platelet platelet_count
anc = neutrophils
lymphocytes = lymphs
blasts = blast
basophils = baso
eosinophils = eos
mcv =
rbc =
cbc = blood_count
creatinine = cr creat scr
bun = urea
egfr = gfr
sodium = na
potassium = k
chloride = cl
bicarbonate = hco3 co2
calcium = ca
magnesium = mg_level
phosphate = phos phosphorus
glucose = fasting_glucose fbs blood_sugar
hba1c = a1c hemoglobin_a1c
alt = sgpt
ast = sgot
alp = alk_phos alkaline_phosphatase
bilirubin = bili tbili total_bilirubin
albumin = alb
ldh =
lipase =
amylase =
tsh =
free_t4 = ft4
ferritin =
iron_saturation = tsat
vitamin_d = vit_d
vitamin_b12 = b12 vit_b12
folate =
ldl =
hdl =
triglycerides = tg trigs
cholesterol = total_cholesterol
inr =
ptt = aptt
d-dimer = d_-_dimer
troponin = trop
bnp = nt_-_probnp ntprobnp
crp =
esr =
psa =
cea =
lactate =
ph =
uric_acid = urate
ejection_fraction = ef lvef
qtc =
bcr-abl1 = bcr_-_abl bcr_-_abl1 bcr_:_:_abl1 bcr_abl pcr qpcr rq_-_pcr transcripts transcript bcr_/_abl
"""

# What may stand between a name and its value.
CONNECTORS = frozenset(
    """: = ( ~ < > ≤ ≥ is was were of at to now today level levels count ratio value about approximately approx around
    currently has been remains stable up down with result results reading measured""".split()
)

UNITS = """
mg = milligram milligrams mgs
mcg = ug µg μg microgram micrograms
g = gm gram grams gms
kg = kilos kilogram kilograms
lb = lbs pounds
ml = cc milliliter milliliters
l = liter liters litre litres
unit = units u iu
meq =
mmol =
tablet = tab tabs tablets
capsule = cap caps capsules
puff = puffs
drop = drops gtt
patch = patches
mg/kg =
mg/m2 = mg/m²
mcg/kg =
mg/day = mg/d
mg/ml =
mcg/hr = mcg/h
units/hr = units/h
g/dl = gm/dl
g/l =
mg/dl =
mg/l =
ng/ml = ug/l
ng/dl =
pg/ml =
u/l = iu/l units/l
mmol/l =
umol/l = µmol/l
meq/l =
k/ul = k/mm3 th/ul
/ul =
/min = bpm beats/min
mmhg = mm_hg
% = percent pct
c = °c celsius
f = °f fahrenheit
cm = centimeter centimeters
mm = millimeter millimeters
m = meter meters
in = inch inches
ft = feet
ms = msec
day = days d
week = weeks wk wks
month = months mo mos
year = years yr yrs y
hour = hours hr hrs h
minute = minutes min mins
time = times
pack-year = pack-years
point = points
"""

DOSE_UNITS = frozenset(
    "mg mcg g ml unit meq mmol tablet capsule puff drop patch mg/kg mg/m2 mcg/kg mg/day mg/ml mcg/hr units/hr".split()
)

FREQUENCIES = frozenset(
    """daily nightly weekly monthly once twice thrice qd bid tid qid qhs qam qpm od bd tds qds prn po iv im sc sq pr sl oral orally
    every each morning evening night bedtime with food day week hours hour q a at before after meals breakfast""".split()
)

MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan january", "feb february", "mar march", "apr april", "may", "jun june", "jul july", "aug august",
            "sep sept september", "oct october", "nov november", "dec december",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip

DRUGS = """
imatinib = gleevec glivec sti571 sti-571 imatinib_mesylate imatinib_mesilate
dasatinib = sprycel
nilotinib = tasigna
bosutinib = bosulif
ponatinib = iclusig
asciminib = scemblix
ruxolitinib = jakafi
hydroxyurea = hydrea hydroxycarbamide
interferon =
allopurinol = zyloprim
acetaminophen = tylenol paracetamol
aspirin = asa
ibuprofen = advil motrin
naproxen = aleve
lisinopril =
enalapril =
ramipril =
losartan = cozaar
valsartan =
amlodipine = norvasc
metoprolol = lopressor toprol
atenolol =
carvedilol =
bisoprolol =
furosemide = lasix
hydrochlorothiazide = hctz
spironolactone = aldactone
atorvastatin = lipitor
simvastatin = zocor
rosuvastatin = crestor
metformin = glucophage
insulin = lantus humalog novolog insulin_glargine insulin_lispro
glipizide =
levothyroxine = synthroid
omeprazole = prilosec
pantoprazole = protonix
esomeprazole = nexium
ondansetron = zofran
warfarin = coumadin
apixaban = eliquis
rivaroxaban = xarelto
heparin =
enoxaparin = lovenox
clopidogrel = plavix
digoxin =
amiodarone =
prednisone =
prednisolone =
methylprednisolone = solu-medrol
dexamethasone = decadron
hydrocortisone =
methotrexate =
hydroxychloroquine = plaquenil
mycophenolate = cellcept
azathioprine =
cyclophosphamide = cytoxan
rituximab = rituxan
tacrolimus = prograf
cyclosporine =
amoxicillin =
augmentin =
azithromycin = zithromax
ciprofloxacin = cipro
levofloxacin = levaquin
vancomycin =
ceftriaxone = rocephin
cephalexin = keflex
doxycycline =
penicillin =
trimethoprim = bactrim
acyclovir =
fluconazole =
sertraline = zoloft
fluoxetine = prozac
citalopram = celexa
escitalopram = lexapro
trazodone =
lorazepam = ativan
gabapentin = neurontin
oxycodone = percocet
hydrocodone = vicodin norco
morphine =
fentanyl =
tramadol =
albuterol = salbutamol ventolin proair
fluticasone = flonase
tiotropium = spiriva
montelukast = singulair
cetirizine = zyrtec
loratadine = claritin
diphenhydramine = benadryl
folic_acid =
ferrous_sulfate = oral_iron
potassium_chloride = kcl
cholecalciferol =
filgrastim = neupogen
cytarabine =
daunorubicin =
"""

# Drugs by their stems (WHO INN), for what no list names.
DRUG_ENDINGS = (
    "tinib", "ciclib", "zomib", "parib", "mab", "pril", "sartan", "olol", "statin", "dipine", "conazole", "cillin", "mycin",
    "oxacin", "gliptin", "gliflozin", "glutide", "prazole", "setron", "ciclovir", "tidine", "triptan", "xaban", "gatran",
)  # fmt: skip

DISEASES = """
hypertension = htn high_blood_pressure
hyperlipidemia = hld dyslipidemia high_cholesterol
type_2_diabetes = t2dm dm2 type_2_diabetes_mellitus type_ii_diabetes niddm
type_1_diabetes = t1dm
diabetes = dm diabetes_mellitus
coronary_artery_disease = cad
heart_failure = chf congestive_heart_failure hfref hfpef
atrial_fibrillation = afib a-fib
myocardial_infarction = heart_attack nstemi stemi
stroke = cva
deep_vein_thrombosis = dvt
pulmonary_embolism =
copd = chronic_obstructive_pulmonary_disease
asthma =
pneumonia =
bronchitis =
chronic_kidney_disease = ckd
acute_kidney_injury = aki
gerd = acid_reflux gastroesophageal_reflux gastroesophageal_reflux_disease
hypothyroidism =
depression =
anxiety =
osteoarthritis =
rheumatoid_arthritis =
gout =
migraine = migraines
anemia = anaemia
obesity =
cancer =
sepsis =
cellulitis =
urinary_tract_infection = uti
hepatitis =
cirrhosis =
pancreatitis =
diverticulosis =
epilepsy = seizure seizures
dementia =
osteoporosis =
leukemia = leukaemia
chronic_myeloid_leukemia = cml chronic_myelogenous_leukemia chronic_myeloid_leukaemia chronic_granulocytic_leukemia
acute_myeloid_leukemia = aml acute_myelogenous_leukemia acute_myeloid_leukaemia
lymphoma =
rash = skin_rash
nausea =
vomiting =
diarrhea = diarrhoea
fever = fevers
cough =
dyspnea = shortness_of_breath sob
chest_pain =
headache = headaches
fatigue =
edema = oedema fluid_retention
"""

PROCEDURES = """
stem_cell_transplant = sct hsct stem_cell_transplantation hematopoietic_stem_cell_transplant allogeneic_stem_cell_transplant
bone_marrow_transplant = bmt bone_marrow_transplantation
bone_marrow_biopsy = marrow_biopsy
appendectomy =
cholecystectomy =
hysterectomy =
cabg = coronary_artery_bypass
colonoscopy =
endoscopy = egd
biopsy =
dialysis = hemodialysis
chemotherapy = chemo
radiotherapy = radiation_therapy
transfusion =
ct_scan = ct
mri =
echocardiogram = echo
ecg = ekg
ultrasound =
x-ray = cxr chest_x-ray
"""
