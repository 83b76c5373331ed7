"""Phrases for the other haematology and oncology clinics, and the traps: GIST, Ph+ ALL, AML, work-ups, donors, trait.

Same language as ``phrases_cml``. Traps look like a label and are not: AML for angiomyolipoma, SCT for sickle cell
trait, MMR for a vaccine, remission of another disease, acute phase reactants, accelerated hypertension.
"""

from __future__ import annotations

__all__ = ["HAEM", "TRAPS"]

HAEM: dict[str, tuple[str, ...]] = {
    "aml": (
        "{age} y/o {sex} with [[aml]] diagnosed {dx_month} {dx_year}, {FLT3-ITD|NPM1 mutated|adverse "
        "risk|normal karyotype}. @aml",
        "Known [[aml]], treated with 7+3 ([[cytarabine]]/[[daunorubicin]]). @aml",
        "[[aml]] arising from [[mds]], {dx_year}. @aml",
        "Returns for count check, [[aml]] {dx_year}. @aml",
        "{He} was admitted in {dx_month} {dx_year} with {blasts}% circulating blasts; dx [[aml]]. @aml",
        "Follow-up of [[aml]] after consolidation with [[cytarabine|historical]]. @aml",
    ),
    "aml_remission": (
        "[[aml]] in CR1, MRD negative. @aml",
        "Remains in complete remission from {his} [[aml]]. @aml",
        "Day 30 marrow: morphologic remission.",
    ),
    "aml_active": (
        "Relapsed/refractory disease, {blasts}% blasts.",
        "Not in remission after induction.",
        "On [[azacitidine]] with palliative intent. [[midostaurin|hypothetical]] not an option.",
        "Blasts rising again; no evidence that this was ever [[cml|negated]] - BCR-ABL negative.",
    ),
    "gist": (
        "{age}{sx} with [[gist]] of the {stomach|small bowel|duodenum}, s/p resection {dx_year}, on "
        "adjuvant [[imatinib]] 400 mg daily.",
        "Metastatic [[gist]] (KIT exon 11), taking [[imatinib]] 400 mg. CT stable.",
        "[[gist]] {dx_year}. [[imatinib]] {started|begun} after surgery, high risk by mitotic count.",
        "Tolerating [[imatinib]] for [[gist]], mild periorbital [[edema]].",
        "Follow up [[gist]]. Scan shows {no new lesions|partial response|shrinking liver deposits}. On "
        "[[imatinib]] 400.",
        "Seen for surveillance of {his} [[gist]]; completed three years of [[imatinib|historical]].",
    ),
    "gist_sunitinib": (
        "Progressed on [[imatinib|historical]], now [[sunitinib]] 50 mg 4 on/2 off.",
        "[[imatinib|historical]] stopped for progression; [[sunitinib]] since.",
    ),
    "gist_note": (
        "{He} read that the drug is used in [[cml]] as well; explained that {he} does not have [[leukemia|negated]].",
        "No haematologic disease.",
        "Radiologic remission on latest CT.",
        "Partial regression of the hepatic lesions.",
    ),
    "ph_all": (
        "{age} y/o {sex} with [[ph_all]] dx {dx_year}, hyperCVAD plus [[DRUG]].",
        "[[ph_all]] on [[DRUG]] maintenance.",
        "B-[[all]], t(9;22) positive, treated with [[vincristine]], steroids and [[DRUG]].",
        "[[ph_all]] ({dx_year}); p190 transcript, not [[cml|negated]] in lymphoid blast crisis per hematopathology.",
        "Returns for [[DRUG]] monitoring, Ph-positive [[all]].",
    ),
    "ph_all_remission": (
        "ALL in first complete remission, BCR-ABL {pcr_low}.",
        "MRD negative; leukemia remains in remission.",
        "Complete molecular response after cycle 4.",
    ),
    "suspected": (
        "{age} y/o {sex} with WBC {wbc_mild} on two occasions, referred to exclude [[cml|possible]].",
        "Asked by PCP to r/o [[cml|possible]]. {Smoker, recent steroids|Recent dental infection|Otherwise well}.",
        "Differential for [[leukocytosis]]: reactive, [[cml|possible]], other MPN. PCR for BCR-ABL sent.",
        "Possible [[cml|possible]]; await molecular testing before any [[imatinib|hypothetical]].",
        "Mild neutrophilia, low suspicion for [[cml|possible]] but will send FISH.",
    ),
    "ruled_out": (
        "BCR-ABL negative; [[cml|negated]] ruled out.",
        "No evidence of [[cml|negated]]. Likely {smoking|steroid|reactive} [[leukocytosis]].",
        "Work-up excluded [[cml|negated]] and [[aml|negated]].",
        "JAK2 and BCR::ABL1 both negative, so this is not [[cml|negated]].",
        "Reassured that {he} does not have [[cml|negated]]. Discharge from clinic.",
        "Initial worry about [[cml|negated]] not borne out.",
        "[[cml|negated]] was considered and excluded by PCR; there is no role for [[imatinib|negated]].",
    ),
    "cmml": (
        "{age} y/o {sex} with [[cmml]] on [[azacitidine]].",
        "[[cmml]] dx {dx_year}, monocytes 3.1, BCR-ABL negative.",
        "Follow up of [[cmml]], transfusion {dependent|independent}.",
        "[[cmml]] (not to be confused with [[cml|negated]]). Spleen 4 cm.",
        "At risk of progressing to [[aml|hypothetical]]. Dysplasia stable.",
    ),
    "myeloma": (
        "{age}{sx} with [[myeloma]] dx {dx_year}, s/p [[asct|historical]] {bmt_year}, on [[lenalidomide]] "
        "maintenance. @bmt",
        "[[myeloma]], VGPR after [[asct|historical]] in {bmt_year}. @bmt",
        "Post [[asct|historical]] ({bmt_year}) surveillance, M-spike 0.2. @bmt",
        "[[myeloma]] follow up. {He} had melphalan conditioning and [[asct|historical]]. @bmt",
    ),
    "myeloma_before": (
        "[[myeloma]] on RVd induction; [[asct|hypothetical]] planned after cycle 4.",
        "[[myeloma]], being worked up for [[asct|hypothetical]].",
        "Stem cells to be collected next month for [[asct|hypothetical]]; [[lenalidomide]] held.",
    ),
    "sickle": (
        "PMH [[sct_trait]]. No crises.",
        "Carrier status: [[sct_trait]], HbAS on electrophoresis.",
        "[[sct_trait]] known since newborn screen; partner tested negative.",
        "{age} y/o {sex} with [[sct_trait]] seen for {fatigue|a school form|preconception advice}.",
        "Hx: [[sct_trait]], [[asthma]].",
    ),
    "donor": (
        "Healthy {sex} who donated marrow for {his} {brother|sister|cousin} in {dx_year}; recovered well.",
        "{He} was the donor for {his} {brother|sister}'s [[bmt|family]] last year.",
        "Post donation check. {His} {brother|sister} has [[aml|family]].",
        "Marrow donor ({dx_year}), no long term effects. Never a recipient.",
        "Sibling with [[cml|family]] got {his} stem cells after [[imatinib|family]] failed.",
    ),
    "family": (
        "Mother died of [[aml|family]] at 62.",
        "Father with [[cml|family]], {on treatment|diagnosed at 58}.",
        "{Brother|Sister|Aunt} has [[cml|family]], takes [[imatinib|family]].",
        "{Brother|Uncle} underwent [[bmt|family]] for [[leukemia|family]].",
        "FHx + for [[blood_cancer|family]] (maternal grandfather).",
        "Sister: [[aml|family]], s/p [[bmt|family]], in remission.",
        "Dad was in [[bp_term|family]] of [[cml|family]] when he passed.",
        "Cousin on [[dasatinib|family]] for [[cml|family]].",
        "Family hx significant for [[leukemia|family]] in a paternal uncle.",
    ),
    "family_worry": (
        "{He} is worried about inheriting leukemia. CBC today is normal, no sign of [[leukemia|negated]].",
        "Wants testing since a relative has [[cml|family]]. Explained that it is not hereditary.",
        "Would like a CBC because of family history. Counts normal.",
    ),
}

TRAPS: tuple[str, ...] = (
    "MMR vaccine up to date.",
    "Varicella and MMR given in childhood.",
    "Renal US: 9 mm [[angiomyolipoma]], stable, benign.",
    "Known [[angiomyolipoma]] of the left kidney, 11 mm, unchanged.",
    "[[depression]] in remission on current dose.",
    "[[colitis]] in clinical remission.",
    "Acute phase reactants mildly raised.",
    "ESR and CRP (acute phase) normal.",
    "Accelerated [[hypertension]] in the past, controlled now.",
    "Blast injury to the hand as a teenager.",
    "Neighbour had a bone marrow test, asks if {he} needs one. No indication.",
    "Signed up as a marrow donor last year.",
    "Works as a nurse on the BMT ward.",
    "Knows someone on [[imatinib|family]] and asked how it works.",
    "SCT carrier per newborn screen ([[sct_trait]]).",
    "Tumour regression noted by vet in family dog, off topic.",
    "Takes no TKI or chemotherapy.",
    "Hx of CLL was entered in error, removed from problem list.",
    "Donated to a leukemia charity run.",
    "Former smoker, in remission from alcohol use disorder.",
)
