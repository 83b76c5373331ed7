"""Corpus files become documents; what cannot be used is set aside with a reason and never with text."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_assets.entities.corpora.annotated import Mention, without_overlaps
from clinical_assets.entities.corpora.document_lines import parse_document_lines
from clinical_assets.entities.corpora.landed import read_corpora
from clinical_assets.entities.corpora.profile import leaking_articles, profile_rows
from clinical_assets.entities.corpora.pubtator import parse_pubtator
from clinical_assets.entities.corpora.splits import corpus_of, split_by_hash, split_of_file
from clinical_assets.entities.corpora.store import read_placed, store_corpora
from clinical_assets.entities.corpora.verdicts import n_misplaced
from clinical_assets.storage.entity_contracts import ENTITY_TABLES
from clinical_assets.storage.lake import Lake

GOOD = """\
11111|t|Lithium toxicity.
11111|a|Naloxone reversed it.
11111\t0\t7\tLithium\tChemical\tD008094
11111\t8\t16\ttoxicity\tDisease\tD064420
11111\t18\t26\tNaloxone\tChemical\t-1
11111\tCID\tD008094\tD064420
"""


def test_a_document_has_its_offsets_codes_and_relations() -> None:
    parsed = parse_pubtator(GOOD)
    (document,) = parsed.documents
    assert document.text == "Lithium toxicity. Naloxone reversed it."
    assert document.mentions == (
        Mention(0, 7, "chemical", ("MESH:D008094",)),
        Mention(8, 16, "disease", ("MESH:D064420",)),
        Mention(18, 26, "chemical", ()),
    )
    assert document.relations == (("MESH:D008094", "MESH:D064420"),)
    assert parsed.rejects == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("11111\t0\t6\tLithium\tChemical\tD1", "text_differs_at_offset"),
        ("11111\t0\t700\tLithium\tChemical\tD1", "bad_offset"),
        ("11111\t7\t7\t\tChemical\tD1", "bad_offset"),
        ("11111\t-1\t7\tLithium\tChemical\tD1", "bad_offset"),
        ("11111\t0\t16\tLithium toxicity\tGene\tD1", "unknown_entity_type"),
        ("11111\t0\t7\tLithium", "malformed_line"),
        ("11111\tCID\tD1", "malformed_line"),
        ("11111\tCID\tD1\t-1", "incomplete_relation"),
        ("11111\tCID\tD008094\tD064420", "duplicate_relation"),
        ("11111\tBIND\tD1\tD2", "unknown_relation"),
        ("22222\t0\t7\tLithium\tChemical\tD1", "unknown_document"),
        ("no tabs at all", "malformed_line"),
        ("11111|a|A second abstract.", "malformed_line"),
        ("11111\t0\t16\tLithium toxicity\tDisease\tD1", "overlapping_mention"),
    ],
)
def test_a_line_that_cannot_be_used_is_set_aside_and_costs_no_other(line: str, reason: str) -> None:
    parsed = parse_pubtator(GOOD + line + "\n")
    assert [reject.reason for reject in parsed.rejects if reject.reason == reason]
    (document,) = parsed.documents
    assert document.relations == (("MESH:D008094", "MESH:D064420"),)
    assert Mention(18, 26, "chemical", ()) in document.mentions
    assert not any("Lithium" in reject.detail for reject in parsed.rejects)


def test_of_overlapping_mentions_the_longest_is_kept() -> None:
    short, long, apart = Mention(0, 7, "chemical"), Mention(0, 16, "disease"), Mention(18, 26, "chemical")
    assert without_overlaps([short, long, apart]) == ([long, apart], [short])


def test_classes_of_disease_and_composite_codes_are_read() -> None:
    text = (
        "1|t|colon and other cancers\n1|a|\n1\t0\t23\tcolon and other cancers\tCompositeMention\tD003110|OMIM:114500\n"
    )
    (document,) = parse_pubtator(text).documents
    assert document.mentions == (Mention(0, 23, "disease", ("MESH:D003110", "OMIM:114500")),)


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="1|ta\t\n Lithum07-CID", max_size=200))
def test_any_text_is_parsed_without_an_error_and_mentions_stand_in_it(text: str) -> None:
    for document in parse_pubtator(text).documents:
        last = 0
        for mention in document.mentions:
            assert last <= mention.start < mention.end <= len(document.text)
            last = mention.end


_WORDS = st.text(
    alphabet=st.characters(codec="utf-8", exclude_characters="\t\n\r|", exclude_categories=("Cs",)),
    min_size=1,
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(_WORDS, st.sampled_from(["Chemical", "Disease", ""])), min_size=1, max_size=12), st.data())
def test_what_is_written_is_read_again(parts: list[tuple[str, str]], data: st.DataObject) -> None:
    text, mentions = "Title. ", []
    for words, kind in parts:
        if kind:
            mentions.append((len(text), len(text) + len(words), words, kind))
        text += words + " "
    lines = [f"7|t|{text[:6]}", f"7|a|{text[7:]}"]
    shuffled = data.draw(st.permutations(mentions))
    lines += [f"7\t{a}\t{b}\t{words}\t{kind}\tD1" for a, b, words, kind in shuffled]
    parsed = parse_pubtator("\n".join(lines))
    if not text[7:].strip() and not text[:6].strip():
        return
    (document,) = parsed.documents
    assert document.text == text
    assert [(m.start, m.end, m.entity_type) for m in document.mentions] == [
        (a, b, k.lower()) for a, b, _, k in mentions
    ]


def test_json_lines_are_read_and_bad_ones_set_aside() -> None:
    good = {"doc_id": "n1", "text": "CML on imatinib", "split": "dev", "mentions": [
        {"start": 0, "end": 3, "entity_type": "disease", "concept_codes": ["SNOMED:92818009"]}, {"start": 7, "end": 15, "entity_type": "chemical"},
    ], "relations": []}  # fmt: skip
    bad = [
        "{", "[]", json.dumps({"doc_id": "x"}), json.dumps({"doc_id": "x", "text": "a", "split": "later"}),
        json.dumps({"doc_id": "y", "text": "abc", "mentions": [{"start": 0, "end": 9, "entity_type": "disease"}, 7,
                    {"start": True, "end": 2, "entity_type": "disease"}, {"start": 0, "end": 2, "entity_type": "gene"}], "relations": [1]}),
    ]  # fmt: skip
    parsed = parse_document_lines("\n".join([json.dumps(good), *bad]))
    assert [d.doc_id for d in parsed.documents] == ["n1", "y"]
    assert parsed.documents[0].split == "dev"
    assert parsed.documents[1].mentions == ()
    assert sorted(r.reason for r in parsed.rejects) == [
        "bad_offset", "bad_offset", "malformed_line", "malformed_line", "malformed_line", "malformed_mention", "malformed_relation",
        "unknown_entity_type", "unknown_split",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "corpus", "split"),
    [
        ("CDR_TrainingSet.PubTator.txt", "CDR", "train"),
        ("CDR_DevelopmentSet.PubTator.txt", "CDR", "dev"),
        ("NCBItrainset_corpus.txt", "NCBI_corpus", "train"),
        ("NCBIdevelopset_corpus.txt", "NCBI_corpus", "dev"),
        ("demo_train.PubTator.txt", "demo", "train"),
        ("demo-dev.jsonl.gz", "demo", "dev"),
        ("contest.txt", "contest", None),
        ("strain.txt", "strain", None),
        ("test.jsonl", "test", "test"),
    ],
)
def test_file_names_say_corpus_and_split(name: str, corpus: str, split: str | None) -> None:
    assert (corpus_of(name, None), split_of_file(name)) == (corpus, split)
    assert corpus_of(name, "folder") == "folder"


def test_documents_that_nobody_assigned_are_split_by_their_words() -> None:
    splits = [split_by_hash(f"text number {i}") for i in range(300)]
    assert {"train", "dev", "test"} == set(splits)
    assert 180 < splits.count("train") < 240
    assert split_by_hash("A  b\nC") == split_by_hash("a b c")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    where = tmp_path / "corpora"
    (where / "abc").mkdir(parents=True)
    (where / "abc" / "train.txt").write_text(GOOD, encoding="utf-8")
    other = GOOD.replace("11111", "33333").replace("reversed", "improved")
    (where / "abc" / "dev.txt").write_text(GOOD + "\n" + other, encoding="utf-8")
    return where


def test_an_article_in_two_splits_stays_where_it_judges(folder: Path) -> None:
    read = read_corpora(folder)
    assert [(p.document.doc_id, p.split) for p in read.documents] == [("11111", "dev"), ("33333", "dev")]
    assert [(r.source_file, r.reject.reason) for r in read.rejects] == [("abc/train.txt", "in_two_splits")]


def test_an_article_of_two_corpora_on_two_sides_is_told(folder: Path) -> None:
    (folder / "other_train.txt").write_text(GOOD.replace("11111", "44444"), encoding="utf-8")
    read = read_corpora(folder)
    assert list(leaking_articles(read.documents).values()) == [{"abc", "other"}]
    rows = profile_rows(read.documents, [("abc", "in_two_splits")]).to_pylist()
    said = {(row["corpus"], row["measure"]): row["value"] for row in rows if row["split"] == "all"}
    assert said["other", "n_shared_articles"] == said["abc", "n_shared_articles"] == 1
    assert said["abc", "n_duplicates"] == 1
    assert not any("Lithium" in str(value) for row in rows for value in row.values())


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.txt", b"", "corrupt_file"),
        ("blank.txt", b"\n\n", "no_documents"),
        ("binary.txt", bytes(range(256)) * 4, "binary_file"),
        ("latin.txt", GOOD.replace("Naloxone", "Nalox\xf3ne").encode("latin-1"), "not_utf8"),
        ("table.csv", b"a,b\n", "unsupported_file"),
        ("zip.txt", b"PK\x03\x04 and more", "unsafe_archive"),
        ("bomb.txt.gz", gzip.compress(b"1|t|" + b"a" * 300_000_000, 9), "unsafe_archive"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_alone(folder: Path, name: str, content: bytes, reason: str) -> None:
    (folder / name).write_bytes(content)
    read = read_corpora(folder)
    assert [(r.reject.reason, r.reject.line_number) for r in read.rejects if r.source_file == name] == [(reason, None)]
    assert len(read.documents) == 2


def test_utf16_with_a_mark_and_documents_without_mentions_are_read(folder: Path) -> None:
    (folder / "wide_train.txt").write_bytes("9|t|Nothing here.\n9|a|Nothing.\n".encode("utf-16"))
    wide = [p for p in read_corpora(folder).documents if p.corpus == "wide"]
    assert [(p.split, p.document.mentions) for p in wide] == [("train", ())]


def test_the_lake_holds_what_was_read_and_unchanged_files_are_not_read_again(folder: Path, tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    for table, schema in ENTITY_TABLES.items():
        lake.declare(table, schema)
    first = store_corpora(lake, folder)
    assert first.read_anew
    assert not store_corpora(lake, folder).read_anew
    assert read_placed(lake)[0].document.mentions == read_corpora(folder).documents[0].document.mentions
    assert n_misplaced(lake.read_all("entities/corpus_documents"), lake.read_all("entities/corpus_mentions")) == 0
    (folder / "more_test.txt").write_text(GOOD.replace("11111", "55555").replace("it.", "all."), encoding="utf-8")
    again = store_corpora(lake, folder)
    assert again.read_anew
    assert len(read_placed(lake, ("test",))) == 1


def test_public_corpora_are_read_whole(public_data: Path, tmp_path: Path) -> None:
    for folder in ("bc5cdr", "ncbi_disease"):
        (tmp_path / folder).mkdir()
        for path in (public_data / "ner_re" / folder).glob("*.txt"):
            if "Set" in path.name or "set_corpus" in path.name:
                (tmp_path / folder / path.name).symlink_to(path)
    # links out of the folder are refused: land copies
    assert {r.reject.reason for r in read_corpora(tmp_path).rejects} == {"unsafe_path"}
    for link in list(tmp_path.rglob("*.txt")):
        target = link.resolve()
        link.unlink()
        link.write_bytes(target.read_bytes())
    read = read_corpora(tmp_path)
    counts = {(p.corpus, p.split): 0 for p in read.documents}
    for p in read.documents:
        counts[p.corpus, p.split] += len(p.document.mentions)
    # 5,203 chemicals and 4,182 diseases; 5,347 and 4,244, as published
    assert counts["bc5cdr", "train"] == 9_385
    assert counts["bc5cdr", "dev"] == 9_591
    # of the NCBI corpus one document stands there twice and one mention is misplaced
    assert sorted(r.reject.reason for r in read.rejects) == ["duplicate_document", "text_differs_at_offset"]
