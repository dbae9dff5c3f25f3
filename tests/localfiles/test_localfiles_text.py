"""Strings of files do no harm in a terminal, a table of a spreadsheet or of Markdown, and still say what they said."""

from __future__ import annotations

import csv
import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from localfiles.text import clean, csv_text, markdown_text

TRICKY = st.sampled_from(
    [*list("\x1b\x07\x9b\r\n\t\u202e\u2066\u200f�\x00=+-@＝＋,;\"'|`*_[]()<>\\~:&#!/ "), "www.", "a"]
)
strings = st.text(max_size=30) | st.lists(TRICKY, max_size=20).map("".join)
HARMFUL = {
    "Cc",
    "Cf",
    "Cs",
    "Co",
    "Cn",
    "Zl",
    "Zp",
}  # Unicode's control, format, surrogate, private, unassigned, breaks


@given(strings)
def test_a_clean_string_has_no_control_characters(text):
    shown = clean(text)
    assert not [c for c in shown if unicodedata.category(c) in HARMFUL]
    shown.encode()


@given(st.text(st.characters(whitelist_categories=("L", "N", "P", "S", "Mn"), max_codepoint=0xFFFF)))
def test_printable_text_is_unchanged(text):
    assert clean(text) == text and clean(clean(text)) == text


def test_values_that_are_not_strings_are_converted():
    assert clean(ValueError("a\nb")) == "a\\nb"


@given(st.lists(strings, min_size=1, max_size=4))
def test_csv_cells_survive_and_are_not_formulas(texts):
    line = ",".join(map(csv_text, texts))
    (cells,) = list(csv.reader(io.StringIO(line))) or [[""]]
    assert len(cells) == len(texts) or texts == [""]
    for cell, text in zip(cells, texts, strict=False):
        assert cell.removeprefix("'") == clean(text).removeprefix("'")
        assert not cell.lstrip().startswith(tuple("=+-@＝＋－＠"))


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "＝1", "=cmd|' /C calc'!A0"])
def test_formulas_become_text(text):
    (cells,) = csv.reader(io.StringIO(csv_text(text)))
    assert cells == [f"'{clean(text)}"] or not cells[0].strip().startswith(("=", "+", "-", "@", "＝"))


def table(texts: list[str]) -> list[str]:
    """Cells of a row as CommonMark with tables reads them; fails where one of them is more than words."""
    row = "|" + "|".join(f" {markdown_text(text)} " for text in texts) + "|"
    source = f"{'| h ' * len(texts)}|\n{'|---' * len(texts)}|\n{row}\n"
    cells, inside = [], False
    for token in MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(source):
        inside = (inside or token.type == "tbody_open") and token.type != "tbody_close"
        if inside and token.type == "inline":
            children = token.children or []
            assert {child.type for child in children} <= {"text", "text_special"}, children
            cells.append("".join(child.content for child in children))
    return cells


@given(st.lists(strings, min_size=1, max_size=3))
def test_markdown_cells_contain_only_text(texts):
    cells = table(texts)
    assert [" ".join(cell.split()) for cell in cells] == [" ".join(clean(text).split()) for text in texts]


@pytest.mark.parametrize(
    "text",
    ["a|b", "<img src=x onerror=alert(1)>", "![x](y)", "[x](javascript:1)", "`a`", "**a**", "~~a~~", "a\\|b", "&lt;"],
)
def test_markup_becomes_text(text):
    assert table([text, "b"]) == [text, "b"]


@pytest.mark.parametrize(
    "text", ["http://evil.example", "https://evil.example/x", "www.evil.example", "a@evil.example"]
)
def test_urls_do_not_become_links_on_github(text):
    assert text not in markdown_text(text) and table([text]) == [text]
