"""The figures of plain language, and citations that lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.tidy import prose
from tests.tidy.source import ROOT, files, name

NOMINAL_MAX, SEMICOLONS_MAX = 3.0, 4.0  # per 1,000 words
SENTENCE_MAX = 14.0  # words, on the average
SHORT_SENTENCES = ("README.md", "lib/passage/TRUST.md")
TEXTS = {"READMEs": "*README.md", "docstrings": "*.py"}
# Put together here, so that this file is no offender.
OUTSIDE = re.compile(r"\(" + r"facts, (section|[A-Z])|\bshared" + r"/(design|facts|tools)\b")
DOCUMENT = re.compile(r"[\w./-]*\w\.md\b")
FOREIGN = {"DESIGN.md"}  # documents of other projects


@pytest.mark.parametrize("kind", TEXTS)
def test_texts_have_few_nominal_clauses_and_semicolons(kind: str) -> None:
    found = prose.of(files(TEXTS[kind]))
    nominal = round(found.per_thousand(len(found.nominal)), 1)
    semicolons = round(found.per_thousand(found.semicolons), 1)
    assert nominal <= NOMINAL_MAX and semicolons <= SEMICOLONS_MAX, (
        f"{kind}: {nominal} nominal clauses (at most {NOMINAL_MAX}) and {semicolons} semicolons"
        f" (at most {SEMICOLONS_MAX}) per 1,000 words: python -m tests.tidy.prose --list"
    )


@pytest.mark.parametrize("path", SHORT_SENTENCES)
def test_sentences_for_everybody_are_short(path: str) -> None:
    assert round(prose.of([ROOT / path]).words_a_sentence, 1) <= SENTENCE_MAX


def test_the_figures_see_clauses_semicolons_and_words() -> None:
    found = prose.measure("It sends what it has; nobody asks. You run this.\n")
    assert (found.words, found.sentences, found.semicolons) == (10, 2, 1)
    assert len(found.nominal) == 2
    assert prose.nominal("People who count. What is this?") == []


def documents(text: str) -> set[str]:
    """Names of Markdown files that a text cites."""
    return {match[0] for match in DOCUMENT.finditer(text)}


def is_here(cited: str, path: Path) -> bool:
    """Whether a cited document is beside the text, below the root, or anywhere by its name."""
    return (
        (path.parent / cited).exists()
        or (ROOT / cited).exists()
        or ("/" not in cited and any(files(f"*/{cited}")))
    )


def test_every_document_that_is_cited_is_in_the_repository() -> None:
    lost = {
        f"{name(path)}: {cited}"
        for path in files("*.py", "*.md", "*.toml", "Makefile")
        for cited in documents(path.read_text()) - FOREIGN
        if not is_here(cited, path)
    }
    assert lost == set()


def test_no_text_cites_notes_from_outside_the_repository() -> None:
    cited = {name(path): OUTSIDE.findall(path.read_text()) for path in files("*.py", "*.md")}
    assert {path: found for path, found in cited.items() if found} == {}
    assert OUTSIDE.search("the lobe (" + "facts, section 7)")
    assert documents("see README.md.") == {"README.md"}
