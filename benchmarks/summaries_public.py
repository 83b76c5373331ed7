"""The extractive summarizer on public texts, against lead and copy: ROUGE with intervals.

    python benchmarks/summaries_public.py [--set NAME ...] [--dev-most 400] [--test-most 0]

Sets (public data, CLINICAL_PUBLIC_DATA; one that is absent is left out and said so):

* trials: description of a clinical trial -> its brief summary;
* course, diagnoses: MTSamples reports with that section -> the section, predicted from the rest of the report;
* aci: dialogue of a visit -> the note (ACI-Bench); mts: short dialogue -> one section of the note (MTS-Dialog).

Every set is cut in two by a hash of its id (aci and mts: as published). On the first part the length and the weights are chosen
from the few settings below, by the mean of ROUGE-1, 2 and L; the second part is read once, with that setting. Words to ask for
were written for each task from what such texts are about, before the second part was read.

Competitors: lead-3; lead of our length; copy; `extractive` with facts alone at our length (what the platform does by default);
ours with TF-IDF; ours with MiniLM where its package is installed (weights chosen for itself). F1, mean over documents; 95 % intervals by
drawing documents (1,000 replicates); the last columns are the difference of ours (TF-IDF) to each, of the same documents.
"""

from __future__ import annotations

import os

os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["HF_HUB_OFFLINE"] = "1"

import argparse
import csv
import hashlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq

from clinical_assets.labels.assertion import Section
from clinical_assets.notes.sections import find_sections
from clinical_assets.statistics.bootstrap import interval, replicate_sums
from clinical_assets.study.load import load_study
from clinical_assets.study.summarizing import Focus
from clinical_assets.summaries.controls import lead_end, lead_k
from clinical_assets.summaries.extraction import extractor_for
from clinical_assets.summaries.extractive import summarize
from clinical_assets.summaries.rouge import ROUGE_KINDS, rouge_pairs
from clinical_assets.summaries.sentence_vectors import SentenceEncoder, sentence_encoder
from clinical_assets.summaries.source import Source, SourceNote
from clinical_assets.summaries.spans import render
from clinical_assets.summaries.text_metrics import count_tokens
from clinical_assets.summaries.vocabulary import vocabulary_of

DATA = Path(os.environ.get("CLINICAL_PUBLIC_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))

TRIAL_WORDS = """purpose,objective,objectives,aim,aims,goal,goals,hypothesis,hypothesize,this study,this trial,this phase,this research,
this project,the study,evaluate,determine,assess,compare,investigate,randomized,patients will"""
VISIT_WORDS = """pain,history,exam,physical,examination,lungs,heart,murmur,blood pressure,vital signs,medication,medications,prescribe,
continue,increase,start,refer,referral,order,follow up,x-ray,mri,ct,echocardiogram,results,labs,swelling,tenderness,tender,edema,
diabetes,hypertension,depression,surgery,symptoms,fever,chills,nausea,vomiting,shortness of breath,chest,diagnosis,assessment,plan,
treatment,therapy,milligrams,daily,allergies,weight,knee,shoulder,back,arm,leg,wrist,hand,foot,motion,strength,sensation,fracture,
sprain,strain,infection,kidney,cough,headache,numbness,tingling,denies,bilateral,recommend,ibuprofen,tylenol,insulin,glucose,
cholesterol,a1c,year-old,male,female,presents"""
COURSE_WORDS = """admitted,admission,underwent,was started,treated,transferred,discharged,consulted,consultation,postoperative,surgery,
evaluated,developed,improved,stable,tolerated,workup,emergency room,hospital"""
DIAGNOSIS_WORDS = """diagnosis,diagnosed,history of,presented with,admitted,because of,complaining of,status post,consistent with,
secondary to,revealed,showed"""


def words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",")]


class Document(NamedTuple):
    key: str
    text: str
    reference: str
    sections: tuple[Section, ...] = ()


class Setting(NamedTuple):
    ratio: float
    tokens: int
    focus: Focus


class Task(NamedTuple):
    dev: list[Document]
    test: list[Document]
    settings: list[Setting]


# --- sets -------------------------------------------------------------------------------------------------------------


def halves(documents: list[Document]) -> tuple[list[Document], list[Document]]:
    first = [doc for doc in documents if int(hashlib.sha256(doc.key.encode()).hexdigest(), 16) % 2 == 0]
    return first, [doc for doc in documents if doc not in set(first)]


def grid(tokens: Sequence[int], asked: str, ratios: Sequence[float] = (1.0,)) -> list[Setting]:
    focuses = [
        Focus(share=share, facts=facts, position=position, opening=opening, centrality=centrality, words=words(asked))
        for share, facts in ((0.9, 0.5), (0.5, 0.9))
        for position, opening, centrality in ((1, 0.5, 0.5), (0, 0, 0.5), (0, 0, 0))
    ]
    return [Setting(ratio, most, focus) for ratio in ratios for most in tokens for focus in focuses]


def trials() -> Task:
    rows = pq.read_table(DATA / "summarization" / "ctgov_dev.parquet").to_pylist()
    documents = [Document(row["nct_id"], row["description"] or "", row["brief_summary"] or "") for row in rows]
    return Task(*halves(documents), grid((60, 80, 100), TRIAL_WORDS))


def report_sections(names: frozenset[str], asked: str, tokens: Sequence[int]) -> Task:
    """Reports whose named sections have at least 20 tokens and whose rest has at least 100; a text that occurs twice counts once."""
    found: dict[str, Document] = {}
    for row in pq.read_table(DATA / "notes" / "mtsamples_dev.parquet").to_pylist():
        text = row["transcription"] or ""
        sections = find_sections(text)
        wanted = [s for s in sections if s.section in names]
        reference = "\n".join(text[s.body_start : s.body_end].strip(" ,\n") for s in wanted)
        rest, kept, at = "", [], 0
        for section in [*sections, None]:
            begin = section.heading_start if section else len(text)
            rest += text[at:begin]
            at = begin
            if section and section.section in names:
                at = section.body_end
            elif section:
                moved = len(rest) - section.heading_start
                kept.append(Section(section.section, len(rest), section.body_start + moved, section.body_end + moved))
        if count_tokens(reference) >= 20 and count_tokens(rest) >= 100 and rest not in found:
            found[rest] = Document(str(row["note_id"]), rest, reference, tuple(kept))
    return Task(*halves(list(found.values())), grid(tokens, asked))


def dialogues(folder: str, first: str, second: str, reference: str, key: str, settings: list[Setting]) -> Task:
    parts = []
    for name in (first, second):
        with (DATA / "summarization" / folder / name).open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        parts.append([Document(row[key], row["dialogue"], row[reference]) for row in rows])
    return Task(parts[0], parts[1], settings)


SETS: dict[str, Callable[[], Task]] = {
    "trials": trials,
    "course": lambda: report_sections(frozenset({"hospital_course"}), COURSE_WORDS, (60, 120, 200, 300)),
    "diagnoses": lambda: report_sections(
        frozenset({"assessment", "assessment_and_plan", "problem_list"}), DIAGNOSIS_WORDS, (40, 80, 120)
    ),
    "aci": lambda: dialogues(
        "aci_bench", "train.csv", "valid.csv", "note", "encounter_id", grid((4000,), VISIT_WORDS, (0.5, 0.6, 0.7, 0.8))
    ),
    "mts": lambda: dialogues(
        "mts_dialog", "MTS-Dialog-TrainingSet.csv", "MTS-Dialog-ValidationSet.csv", "section_text", "ID",
        grid((4000,), VISIT_WORDS, (0.4, 0.6, 0.8)),
    ),
}  # fmt: skip


# --- summaries and scores ---------------------------------------------------------------------------------------------


class Sources:
    """Documents with their facts, found once."""

    def __init__(self, documents: Sequence[Document]) -> None:
        extract = extractor_for(vocabulary_of(load_study())).extract
        self.sources = [
            Source(i, i, (SourceNote(i, doc.text, doc.key, doc.sections),), "ready") for i, doc in enumerate(documents)
        ]
        self.facts = [
            {i: extract(source.notes[0].text, source.notes[0].index)} for i, source in enumerate(self.sources)
        ]

    def summaries(self, setting: Setting, encoder: SentenceEncoder | None = None) -> list[str]:
        made = []
        for source, facts in zip(self.sources, self.facts, strict=True):
            draft = summarize(
                source, facts, ratio=setting.ratio, max_tokens=setting.tokens, focus=setting.focus, encoder=encoder
            )
            made.append(render(source.texts, draft.spans))
        return made


def scores(made: Sequence[str], documents: Sequence[Document]) -> np.ndarray:
    """F1 of ROUGE-1, 2 and L, times 100, shape (n, 3); nan without a word in the reference."""
    found = rouge_pairs(list(made), [doc.reference for doc in documents])
    return 100 * np.array([[each[kind].f1 for kind in ROUGE_KINDS] for each in found])


def limits(values: np.ndarray) -> tuple[float, float, float]:
    defined = values[~np.isnan(values)]
    columns = np.column_stack([defined, np.ones(defined.size)])
    sums = replicate_sums(np.arange(defined.size), columns, n_replicates=1000, seed=0)
    return (float(defined.mean()), *interval(sums[:, 0] / sums[:, 1]))


def chosen(
    task: Task, sources: Sources, documents: Sequence[Document], encoder: SentenceEncoder | None
) -> tuple[Setting, float]:
    means = [float(np.nanmean(scores(sources.summaries(each, encoder), documents))) for each in task.settings]
    best = int(np.argmax(means))
    return task.settings[best], means[best]


def told(setting: Setting) -> str:
    focus = setting.focus
    return (
        f"ratio {setting.ratio}, at most {setting.tokens} tokens, share {focus.share}, facts {focus.facts}, position {focus.position}, "
        f"opening {focus.opening}, centrality {focus.centrality}, asked {focus.asked}"
    )


def run(name: str, dev_most: int, test_most: int, minilm: SentenceEncoder | None) -> None:
    started = time.process_time()
    task = SETS[name]()
    dev = sorted(task.dev, key=lambda doc: hashlib.sha256(doc.key.encode()).hexdigest())[:dev_most]
    test = task.test[: test_most or None]
    before, after = Sources(dev), Sources(test)
    setting, mean = chosen(task, before, dev, None)
    print(f"\n## {name}: {len(dev)} documents to choose, {len(test)} to report", flush=True)
    print(f"chosen (mean {mean:.2f} there): {told(setting)}")
    ours = after.summaries(setting)
    systems = {
        "lead-3": [lead_k(doc.text, 3) for doc in test],
        "lead, our length": [
            doc.text[: lead_end(doc.text, count_tokens(own))].strip() for doc, own in zip(test, ours, strict=True)
        ],
        "copy": [doc.text for doc in test],
        "extractive, facts alone": after.summaries(setting._replace(focus=Focus())),
        "ours, TF-IDF": ours,
    }
    if minilm is not None:
        other, mean = chosen(task, before, dev, minilm)
        print(f"chosen for MiniLM (mean {mean:.2f} there): {told(other)}")
        systems["ours, MiniLM"] = after.summaries(other, minilm)
    own = scores(ours, test)
    heads = [kind.replace("rouge", "R-") for kind in ROUGE_KINDS]
    print(
        "| system | tokens | " + " | ".join(heads) + " | " + " | ".join(f"ours - it, {head}" for head in heads) + " |"
    )
    print("|---|--:|" + "--:|" * 6)
    for system, made in systems.items():
        found = scores(made, test)
        cells = ["{:.1f} ({:.1f} to {:.1f})".format(*limits(found[:, k])) for k in range(3)]
        if system != "ours, TF-IDF":
            cells += ["{:+.1f} ({:+.1f} to {:+.1f})".format(*limits(own[:, k] - found[:, k])) for k in range(3)]
        else:
            cells += [""] * 3
        print(f"| {system} | {np.mean([count_tokens(text) for text in made]):.0f} | " + " | ".join(cells) + " |")
    print(
        f"references: {np.mean([count_tokens(doc.reference) for doc in test]):.0f} tokens; {time.process_time() - started:.0f} CPU s",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--set", action="append", choices=sorted(SETS), help="may be given several times; default: all")
    parser.add_argument(
        "--dev-most", type=int, default=400, help="documents of the first part that settings are tried on"
    )
    parser.add_argument("--test-most", type=int, default=0, help="documents of the second part; 0: all")
    arguments = parser.parse_args()
    minilm = sentence_encoder("auto")
    print(
        f"{time.strftime('%Y-%m-%d')}; {os.cpu_count()} cores; sentence vectors: {minilm.name if minilm else 'TF-IDF only'}"
    )
    for name in arguments.set or SETS:
        try:
            run(name, arguments.dev_most, arguments.test_most, minilm)
        except FileNotFoundError as error:
            print(f"\n## {name}: left out, no such file: {error.filename}; set CLINICAL_PUBLIC_DATA")


if __name__ == "__main__":
    main()
