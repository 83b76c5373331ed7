"""Our own sentences, one per line: field | assertion expected of the note's evidence (`-`: not mentioned) | note.

Written for these tests. A literal \\n in a note is a line break.
"""

from __future__ import annotations

TABLE = r"""
imatinib_mentioned | affirmed | Continue imatinib 400 mg daily.
imatinib_mentioned | affirmed | No fever. Continue imatinib.
imatinib_mentioned | affirmed | No fever, continue imatinib.
imatinib_mentioned | affirmed | No fever or chills and she continues on Gleevec.
imatinib_mentioned | affirmed | Tolerating Glivec without side effects.
imatinib_mentioned | affirmed | No side effects from imatinib.
imatinib_mentioned | affirmed | No missed doses of imatinib.
imatinib_mentioned | affirmed | Has not missed any doses of imatinib mesylate.
imatinib_mentioned | affirmed | Enrolled in the STI-571 study.
imatinib_mentioned | affirmed | Enrolled in the STI571 study.
imatinib_mentioned | affirmed | GIST treated with imatinib for two years.
imatinib_mentioned | affirmed | Taking imatanib 400 mg.
imatinib_mentioned | negated | Patient is not taking imatinib.
imatinib_mentioned | negated | Imatinib was never started.
imatinib_mentioned | negated | Imatinib 400 mg daily: not taking.
imatinib_mentioned | negated | She has never received imatinib.
imatinib_mentioned | negated | He declined imatinib.
imatinib_mentioned | historical | Imatinib was discontinued because of edema.
imatinib_mentioned | historical | Imatinib discontinued.
imatinib_mentioned | historical | Stopped imatinib last spring.
imatinib_mentioned | historical | No longer taking imatinib.
imatinib_mentioned | historical | Switched from imatinib to nilotinib.
imatinib_mentioned | historical | Previously on imatinib.
imatinib_mentioned | historical | Intolerant to imatinib.
imatinib_mentioned | hypothetical | Consider imatinib at the next visit.
imatinib_mentioned | hypothetical | Will start imatinib next week.
imatinib_mentioned | family | His father takes imatinib.
imatinib_mentioned | - | Matinib is not a drug we know.
related_drugs_mentioned | affirmed | Now on dasatinib 100 mg.
related_drugs_mentioned | affirmed | Sprycel 50 mg daily.
related_drugs_mentioned | affirmed | Started asciminib in the clinic.
related_drugs_mentioned | affirmed | Scemblix tolerated well.
related_drugs_mentioned | affirmed | Taking Tasigna and Iclusig.
related_drugs_mentioned | negated | Never took bosutinib.
related_drugs_mentioned | historical | Failed ponatinib.
related_drugs_mentioned | hypothetical | If she progresses, consider nilotinib.
related_drugs_mentioned | - | Ruxolitinib for myelofibrosis.
cml_diagnosed | affirmed | 62-year-old man with CML.
cml_diagnosed | affirmed | Chronic myeloid leukemia in chronic phase.
cml_diagnosed | affirmed | Chronic myelogenous leukaemia, stable.
cml_diagnosed | affirmed | Chronic myelocytic leukemia.
cml_diagnosed | affirmed | Chronic granulocytic leukemia.
cml_diagnosed | affirmed | chronic\nmyeloid leukemia, well controlled
cml_diagnosed | affirmed | Chronic  myeloid\n   leukaemia, well controlled
cml_diagnosed | affirmed | chronic myeloid-leukemia
cml_diagnosed | affirmed | Leukemia, chronic myeloid.
cml_diagnosed | affirmed | No evidence of progression of CML.
cml_diagnosed | affirmed | No change in CML.
cml_diagnosed | affirmed | No problems related to CML.
cml_diagnosed | affirmed | No acute distress. CML on therapy.
cml_diagnosed | affirmed | No fever but has CML.
cml_diagnosed | affirmed | No fever, known CML.
cml_diagnosed | affirmed | Denies fatigue; CML stable.
cml_diagnosed | affirmed | AML was ruled out, CML confirmed.
cml_diagnosed | affirmed | CML: yes
cml_diagnosed | affirmed | Dr. Smith follows her for CML.
cml_diagnosed | affirmed | Negative for infection, although CML persists.
cml_diagnosed | affirmed | She was admitted without pain and was found to have CML.
cml_diagnosed | affirmed | The patient's mother reports that he has fatigue. CML on treatment.
cml_diagnosed | historical | History of CML.
cml_diagnosed | historical | PMH: hypertension, diabetes, CML.
cml_diagnosed | historical | H/o CML.
cml_diagnosed | historical | CML diagnosed in 2010.
cml_diagnosed | historical | No evidence of recurrent CML.
cml_diagnosed | historical | CML in remission.
cml_diagnosed | historical | CML ten years ago.
cml_diagnosed | negated | No evidence of CML.
cml_diagnosed | negated | No CML.
cml_diagnosed | negated | Patient does not have CML.
cml_diagnosed | negated | CML was ruled out.
cml_diagnosed | negated | CML ruled out by PCR.
cml_diagnosed | negated | CMML, not CML.
cml_diagnosed | negated | Negative for CML.
cml_diagnosed | negated | CML: no
cml_diagnosed | negated | CML - none
cml_diagnosed | negated | [ ] CML
cml_diagnosed | negated | No fever, chills, night sweats, weight loss, anemia, AML or CML.
cml_diagnosed | negated | Denies any history of CML.
cml_diagnosed | negated | There is no history of CML.
cml_diagnosed | negated | Without evidence of CML.
cml_diagnosed | negated | CML is not present.
cml_diagnosed | negated | CML has been excluded.
cml_diagnosed | negated | I do not think that this is CML.
cml_diagnosed | negated | Marrow shows no signs of\nchronic myeloid leukemia
cml_diagnosed | negated | History of CML? No
cml_diagnosed | possible | Possible CML.
cml_diagnosed | possible | Rule out CML.
cml_diagnosed | possible | R/o CML.
cml_diagnosed | possible | CML cannot be excluded.
cml_diagnosed | possible | CML has not been ruled out.
cml_diagnosed | possible | Suspicious for CML.
cml_diagnosed | possible | CML vs CMML.
cml_diagnosed | possible | The differential diagnosis includes CML.
cml_diagnosed | possible | CML is unlikely.
cml_diagnosed | possible | Question of CML.
cml_diagnosed | possible | CML?
cml_diagnosed | hypothetical | At risk for CML.
cml_diagnosed | hypothetical | If he has CML, therapy is available.
cml_diagnosed | hypothetical | Should she develop CML, call us.
cml_diagnosed | family | Family history of CML in father.
cml_diagnosed | family | FH: CML in mother.
cml_diagnosed | family | Mother had CML.
cml_diagnosed | family | CML in his brother.
cml_diagnosed | family | Denies family history of CML.
cml_diagnosed | family | No family history of CML.
cml_diagnosed | family | Maternal aunt with CML.
cml_diagnosed | family | CML (father).
cml_diagnosed | affirmed | Father had lung cancer, but the patient has CML.
cml_diagnosed | - | CMML on marrow.
cml_diagnosed | - | Chronic myelomonocytic leukemia.
cml_diagnosed | - | xCML and CMLs9 are not words.
cml_diagnosed | - | Serum carboxymethyllysine (CML) was raised.
cml_in_regression | affirmed | CML in major molecular response.
cml_in_regression | affirmed | CML. MMR since spring.
cml_in_regression | affirmed | CML in complete cytogenetic response.
cml_in_regression | affirmed | CML with CCyR and MR4.5.
cml_in_regression | affirmed | CML, in treatment-free remission.
cml_in_regression | affirmed | CML in deep molecular response.
cml_in_regression | affirmed | CML. BCR-ABL transcripts undetectable.
cml_in_regression | affirmed | Chronic myeloid leukaemia in complete haematological remission.
cml_in_regression | affirmed | CML in remission, no loss of MMR.
cml_in_regression | negated | CML. Not in remission.
cml_in_regression | negated | CML. She has lost MMR.
cml_in_regression | negated | CML. Failed to achieve CCyR.
cml_in_regression | negated | CML. Has not yet achieved a major molecular response.
cml_in_regression | hypothetical | CML. The goal is MMR.
cml_in_regression | - | CML. MMR vaccine given.
cml_in_regression | - | AML in remission.
cml_in_regression | - | CML noted. Depression in remission.
cml_in_regression | - | Lymphoma in complete remission.
aml_diagnosed | affirmed | Acute myeloid leukemia (AML).
aml_diagnosed | affirmed | Acute myelogenous leukaemia.
aml_diagnosed | affirmed | AML transformed from MDS.
aml_diagnosed | affirmed | Acute\nmyeloid leukemia on induction.
aml_diagnosed | historical | S/p chemotherapy for AML.
aml_diagnosed | historical | History of AML.
aml_diagnosed | possible | r/o AML
aml_diagnosed | possible | Concern for AML.
aml_diagnosed | negated | No acute myeloid leukemia (AML).
aml_diagnosed | negated | AML was excluded.
aml_diagnosed | negated | No evidence of AML.
aml_diagnosed | family | Sister died of AML.
aml_diagnosed | hypothetical | Risk of AML was explained.
aml_diagnosed | - | Renal angiomyolipoma (AML) seen on CT.
blast_phase_cml | affirmed | CML in blast crisis.
blast_phase_cml | affirmed | CML, blast phase.
blast_phase_cml | affirmed | Blast-phase CML.
blast_phase_cml | affirmed | Myeloid blast crisis.
blast_phase_cml | affirmed | CML progressed to blast phase.
blast_phase_cml | affirmed | CML-BP on ponatinib.
blast_phase_cml | negated | CML in chronic phase, not in blast crisis.
blast_phase_cml | negated | CML. Blast crisis was ruled out.
blast_phase_cml | hypothetical | CML. If she develops blast crisis, admit.
blast_phase_cml | hypothetical | CML. Risk of progression to blast phase.
blast_phase_cml | - | Myelofibrosis in blast phase.
bmt_history | historical | S/p allogeneic stem cell transplant.
bmt_history | historical | Status post bone marrow transplantation in 2012.
bmt_history | historical | Underwent alloSCT.
bmt_history | historical | History of BMT.
bmt_history | historical | S/p auto-SCT.
bmt_history | historical | S/p allo-HSCT.
bmt_history | affirmed | Stem-cell transplant with graft failure.
bmt_history | affirmed | Haematopoietic stem cell transplantation from a matched unrelated donor.
bmt_history | affirmed | Bone marrow transplant from her brother.
bmt_history | historical | S/p BMT; her brother was the donor.
bmt_history | negated | No h/o BMT.
bmt_history | negated | Never had a bone marrow transplant.
bmt_history | negated | Not a candidate for BMT.
bmt_history | negated | She has not had a stem cell transplant.
bmt_history | hypothetical | Candidate for BMT.
bmt_history | hypothetical | Will need transplant evaluation; stem cell transplant at relapse.
bmt_history | hypothetical | Discussed bone marrow transplant.
bmt_history | hypothetical | Referred for allogeneic stem cell transplant.
bmt_history | hypothetical | Awaiting HSCT.
bmt_history | hypothetical | BMT evaluation next week.
bmt_history | family | Donor for his brother's bone marrow transplant.
bmt_history | family | Brother had a bone marrow transplant.
bmt_history | - | Donated bone marrow to brother.
bmt_history | - | SCT (sickle cell trait) carrier.
bmt_history | - | Bilateral myringotomy tubes (BMT) placed.
acute_phase_cml | affirmed | Accelerated phase CML.
acute_phase_cml | affirmed | CML in accelerated phase.
acute_phase_cml | affirmed | CML, accelerated-phase.
acute_phase_cml | affirmed | CML-AP on dasatinib.
acute_phase_cml | affirmed | Acute phase CML.
acute_phase_cml | negated | CML. No accelerated phase.
acute_phase_cml | - | Accelerated phase of the illness.
acute_phase_cml | - | CML. Acute phase reactants raised.
bcr_abl1_positive | affirmed | FISH returned positive for BCR-ABL1.
bcr_abl1_positive | affirmed | Karyotype shows t(9;22) in all cells.
bcr_abl1_positive | affirmed | Ph+ CML in chronic phase.
bcr_abl1_positive | affirmed | Philadelphia chromosome in 20/20 metaphases.
bcr_abl1_positive | affirmed | Philadelphia-positive CML, on imatinib.
bcr_abl1_positive | affirmed | BCR::ABL1 detected by PCR.
bcr_abl1_positive | negated | No t(9;22) was seen on karyotype.
bcr_abl1_positive | negated | No evidence of the Philadelphia chromosome present.
bcr_abl1_positive | - | BCR-ABL PCR was sent.
bcr_abl1_positive | - | BCR-ABL negative, JAK2 positive.
""".strip()

CASES = [tuple(part.strip() for part in line.split("|", 2)) for line in TABLE.splitlines()]
