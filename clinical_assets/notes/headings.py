"""The vocabulary of section headings: how clinicians write them, and the canonical name of each.

Put here words only; how headings are found in a text is `sections`.
"""

from __future__ import annotations

__all__ = ["HEADINGS", "SUBHEADINGS"]

# Canonical section -> headings, lower case, separated by "|". Punctuation and "the patient's" details do not matter.
_WORDS: dict[str, str] = {
    "chief_complaint": "chief complaint|chief complaints|cc|c/c|presenting complaint|presenting problem|reason for visit|"
    "reason for consultation|reason for consult|reason for admission|reason for referral|reason for evaluation|"
    "reason for encounter|reason for hospitalization|complaint",
    "history_of_present_illness": "history of present illness|history of the present illness|hpi|present illness|"
    "history of presenting illness|history of present complaint|history of presenting complaint|history of the complaint|"
    "hx of present illness|brief history|clinical history|history|brief history of the patient|history of illness|"
    "cc/hpi|hpi/interval history",
    "past_medical_history": "past medical history|pmh|pmhx|past history|medical history|previous medical history|"
    "past medical hx|past med history|prior medical history|past medical/surgical history|past medical and surgical history|"
    "pmh/psh|past medical problems|significant past medical history|past oncologic and medical history|past psychiatric history|"
    "past obstetrical history|past ob history|past gynecologic history|ob history|obstetric history|birth history|"
    "developmental history",
    "past_surgical_history": "past surgical history|psh|pshx|surgical history|previous surgeries|past surgeries|"
    "prior surgeries|past surgical hx|operative history|previous surgical history",
    "family_history": "family history|family hx|fh|fhx|famhx|fam hx|family medical history|family oncologic history|"
    "family cancer history|family history of cancer|fam history|family psychiatric history|history family",
    "social_history": "social history|social hx|sh|shx|soc hx|sochx|personal history|personal and social history|"
    "psychosocial history|habits|tobacco use|substance use|social and family history|family/social history|"
    "family and social history|occupational history|sexual history",
    "allergies": "allergies|allergy|drug allergies|medication allergies|known allergies|allergies to medications|adverse reactions|"
    "allergies and intolerances|allergies/intolerances|adverse drug reactions",
    "medications": "medications|medication|meds|current medications|current meds|home medications|home meds|medication list|"
    "outpatient medications|medications on admission|admission medications|discharge medications|medications at discharge|"
    "inpatient medications|scheduled medications|current outpatient medications|prescriptions|active medications|"
    "medications prior to admission|preadmission medications|present medications|medications at home|"
    "current outpatient prescriptions|medication reconciliation|drugs",
    "discontinued_medications": "discontinued medications|medications discontinued|discontinued meds|stopped medications|"
    "medications stopped|meds discontinued|previous medications|past medications|prior medications|"
    "stop taking these medications|stop taking|inactive medications|held medications|medications held",
    "review_of_systems": "review of systems|ros|system review|systems review|review of symptoms|review of system|"
    "a comprehensive review of systems|ten point review of systems",
    "physical_exam": "physical exam|physical examination|pe|exam|examination|objective exam|phys exam|physical findings|"
    "general examination|on examination|general physical examination|mental status examination|mental status exam|"
    "neurologic examination|neurological examination|neurologic exam|clinical examination",
    "vital_signs": "vital signs|vitals|vs|vital sign|current vitals|admission vitals|vital signs on admission",
    "laboratory": "laboratory|laboratory data|labs|lab|laboratory results|lab results|laboratory studies|lab data|"
    "laboratory findings|recent labs|pertinent labs|laboratory values|laboratory tests|lab values|laboratory examination|"
    "labs on admission|pertinent results|data|results|diagnostic data|laboratory and x-ray data|labs/studies|diagnostic studies|"
    "laboratory and radiology data|molecular studies|molecular results|cytogenetics|bcr-abl|investigations|diagnostics",
    "imaging": "imaging|imaging studies|radiology|radiology results|radiologic studies|radiographic studies|x-ray|x-rays|"
    "imaging results|radiographs|ct scan|ct|mri|ultrasound|chest x-ray|ekg|ecg|echocardiogram|radiographic findings|"
    "electrocardiogram|radiology data|radiological studies|diagnostic imaging",
    "pathology": "pathology|pathology results|pathologic diagnosis|pathology report|final pathologic diagnosis|biopsy results|"
    "surgical pathology|bone marrow biopsy|bone marrow|histology|gross description|microscopic description|gross examination|"
    "microscopic examination|cytology|specimen|specimens",
    "procedures": "procedure|procedures|procedure performed|procedures performed|operation|operations|operation performed|"
    "operations performed|operative procedure|operative procedures|procedure in detail|details of procedure|"
    "description of procedure|description of operation|details of the operation|procedure note|technique|"
    "operative technique|major surgical or invasive procedure|procedure details|title of operation|title of procedure|"
    "name of procedure|details of operation|procedure detail|operation in detail|description of the procedure|"
    "operative findings|surgical procedure|surgery",
    "assessment": "assessment|impression|impressions|diagnosis|diagnoses|assessments|final diagnosis|final diagnoses|"
    "clinical impression|discharge diagnosis|discharge diagnoses|admission diagnosis|admission diagnoses|admitting diagnosis|"
    "principal diagnosis|primary diagnosis|secondary diagnosis|secondary diagnoses|preoperative diagnosis|"
    "postoperative diagnosis|pre-operative diagnosis|post-operative diagnosis|preoperative diagnoses|postoperative diagnoses|"
    "preop diagnosis|postop diagnosis|conclusion|conclusions|differential diagnosis|medical decision making|mdm|"
    "diagnostic impression|assessment and discussion|summary and assessment|final impression|discharge diagnosis list|"
    "admitting diagnoses|axis i|axis ii|axis iii|axis iv|axis v|a",
    "plan": "plan|plans|treatment plan|recommendations|recommendation|plan of care|plan and recommendations|disposition|"
    "follow up|follow-up|followup|treatment|plan of treatment|care plan|p|recommendations and plan|discussion and plan|"
    "recommendations/plan|plan/recommendations",
    "assessment_and_plan": "assessment and plan|assessment & plan|assessment/plan|a/p|a&p|a & p|ap|a and p|impression and plan|"
    "impression/plan|impression & plan|assessment and recommendations|impression and recommendations|"
    "impression/recommendations|assessment/recommendations|assessment plan|diagnosis and plan|assessment and treatment plan|"
    "problem based assessment and plan|plan and assessment|plan/assessment|i/p",
    "hospital_course": "hospital course|brief hospital course|course in hospital|clinical course|emergency department course|"
    "ed course|hospital course by problem|summary of hospital course|hospital course and treatment|course|"
    "brief hospital course by problem|hospital course by system|hospitalization course|emergency room course",
    "discharge_instructions": "discharge instructions|discharge instruction|patient instructions|instructions|"
    "followup instructions|follow-up instructions|follow up instructions|discharge plan|discharge disposition|"
    "discharge condition|condition on discharge|condition at discharge|discharge followup|discharge diet|discharge activity",
    "problem_list": "problem list|problems|active problems|active problem list|patient active problem list|"
    "current problems|medical problems|chronic problems|problem list/past medical history|active diagnoses|active issues",
    "oncologic_history": "oncologic history|oncology history|onc history|cancer history|oncological history|heme/onc history|"
    "hematologic history|hematology history|hematology/oncology history|treatment history|cml history|disease history|"
    "history of malignancy|prior treatment|oncology treatment history|oncologic hx|leukemia history|"
    "past oncologic history|hematologic/oncologic history",
    "subjective": "subjective|s|subjective findings|subjective/history",
    "objective": "objective|o|objective findings|objective data|findings",
    "interval_history": "interval history|interval hx|interim history|interval events|interval summary|since last visit|"
    "24 hour events|overnight events|events|interval history/subjective|history since last visit|interim events",
    "other": "note|addendum|attestation|attending attestation|comments|comment|anesthesia|anesthetic|estimated blood loss|"
    "complications|indications|indication|indications for procedure|surgeon|assistant|drains|code status|immunizations|"
    "diet|activity|signature|electronically signed by|date of admission|date of discharge|nutrition|"
    "functional history|goals of care|advance directives|prognosis|counseling|time spent|"
    "risk factors|consultations|consults",
}
HEADINGS: dict[str, str] = {heading: section for section, headings in _WORDS.items() for heading in headings.split("|")}

# Parts of an examination or a review of systems: they go on with the section that they stand in.
SUBHEADINGS: frozenset[str] = frozenset(
    "general|general appearance|constitutional|heent|head|eyes|ears|nose|throat|ent|ears, nose, mouth and throat|mouth|neck|"
    "lymph nodes|lymphatic|lymphatics|hematologic|hematologic/lymphatic|heme|endocrine|lungs|lung|chest|respiratory|pulmonary|"
    "pulm|cardiovascular|cardiac|heart|cv|cvs|abdomen|abdominal|abd|gastrointestinal|gi|genitourinary|gu|genitalia|rectal|pelvic|"
    "back|spine|extremities|extremity|ext|musculoskeletal|msk|skin|integumentary|integument|neurologic|neurological|neuro|"
    "psychiatric|psych|breasts|breast|vascular|allergic/immunologic|immunologic|bp|blood pressure|pulse|heart rate|hr|rr|"
    "respirations|respiratory rate|temperature|temp|weight|height|bmi|spo2|o2 sat|oxygen saturation|wbc|hgb|hemoglobin|plt|"
    "platelets|hct|hematocrit|creatinine|tobacco|alcohol|drugs of abuse|smoking|etoh|mother|father|sister|brother|siblings|"
    "children|sodium|potassium|glucose|cn|motor|sensory|gait|reflexes|coordination|cranial nerves|mental status|gen|ms|"
    "gastrointestinal/abdomen|nodes|thyroid|affect|mood".split("|")
)
