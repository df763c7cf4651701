"""Whatever a commit or a model writes: it shows its own characters, and nothing of it acts."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from digest_pipeline.render import escape
from digest_pipeline_tests.render.reading import acting, characters, every, parse, rows, shown, unescaped

WORDS = r"""
    ` `` ``` | \ \| * ** _ __ ~ ~~ ~~~ [ ] ]( ! ( ) < > <!-- --> <br> </td> <b> <https://a.example>
    & &amp; &#124; &lt; &x; http:// https://a.example/b_c HTTPS://A ftp://a www. www.a.example a@b.c ://
    # ## #12 - -- --- = === 1. :- |- [^1] ![i](http://a) [t](u) [r]: javascript: $x$ $$ ' " { } :tada: @x ^
    a b word snake_case 0 7 中文 é 🐛 Signed-off-by: Co-authored-by:
"""
FRAGMENTS = [
    *WORDS.split(),
    *("- ", "+ ", "* ", "2) ", "123456789. ", "[x] ", " ", "  ", "    ", "\u00a0", "\u3000", "\t"),
    *("\n", "\r", "\r\n", "\n\n", "\x85", "\u2028", "\u2029", "\x0b", "\x0c", "\x1c", "\x00"),
    *("\u202e", "\u2066", "\u200b", "\u200d", "\ufeff", "\U000e0041", "\u00ad"),
]
nasty = st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=3)), max_size=14).map("".join)
HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f"  # controls; what breaks a line is no matter of hiding
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # direction
    "\u00ad\u180e\u200b\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb"  # no width
    "\U000e0000-\U000e007f]"  # tags
)
TRAILERS = ("Signed-off-by", "Co-authored-by")

HEADER = "| time | author | message |\n|---|---|---|\n"


def kept_lines(message: str) -> list[str]:
    """The lines that a cell shows, by a rule of its own."""
    lines = re.split("\r\n|\n|\r|\x85|\u2028|\u2029", message)
    return [line for line in lines if HIDDEN.sub("", line).strip() and not line.startswith(TRAILERS)]


# --- properties --------------------------------------------------------------------------------------------


@given(nasty, nasty)
@example("a\\", "b\\")
@example("", "`a\\|b` and `c`")
@example("`", "`a|b`")
@example("", "\u200b\n\u202e\nx")
@example("", "`a`http://x")
@example("", "http`a`://x")
def test_a_row_stays_one_row_of_three_cells_whatever_the_message_says(author: str, message: str) -> None:
    row = f"| 2026-02-21 | {escape.cell(author)} | {escape.message_cell(message)} |\n"

    found = rows(HEADER + row)

    assert len(row.splitlines()) == 1
    assert [len(cells) for cells in found] == [3]
    cell = found[0][2].children or []
    assert acting(found[0][1].children or []) == []
    assert acting(cell) == []
    assert characters(shown(found[0][1].children or [])) == characters(author)
    assert characters(shown(cell)) == characters("".join(kept_lines(message)))


@given(nasty)
def test_a_message_has_a_line_break_between_its_lines_and_nowhere_else(message: str) -> None:
    [[_, _, cell]] = rows(f"{HEADER}| a | b | {escape.message_cell(message)} |\n")

    shown_lines = shown(cell.children or []).split("\n")

    assert [characters(line) for line in shown_lines] == (
        [characters(line) for line in kept_lines(message)] or [""]
    )


@given(nasty)
@example("# x")
@example("1. x")
@example("- - -")
@example("--")
@example("-- -")
@example("    code")
@example("\u2028# x")
@example("\u200b# x")
def test_no_block_comes_of_a_text_where_a_line_begins(text: str) -> None:
    assume(characters(text))

    for before in ("", "- ", "> ", "- a\n  - "):
        tokens = parse(f"{before}{escape.block(text)}\n")
        last = next(token for token in reversed(tokens) if token.type == "inline")
        kinds = {token.type.removesuffix("_open").removesuffix("_close") for token in tokens}

        assert kinds <= {"bullet_list", "list_item", "blockquote", "paragraph", "inline"}
        assert sum(token.type == "list_item_open" for token in tokens) == before.count("- ")
        assert sum(token.type == "blockquote_open" for token in tokens) == before.count(">")
        assert acting(last.children or []) == []
        assert characters(shown(last.children or [])) == characters(text)


@given(nasty)
@example("C#")
@example("x #")
@example("x ##")
@example("#")
@example("x \\#")
@example("x # \u200b")
def test_a_heading_keeps_its_text(text: str) -> None:
    tokens = parse(f"#### {escape.heading(text)}\n")

    assert [token.type for token in tokens] == ["heading_open", "inline", "heading_close"]
    assert acting(tokens[1].children or []) == []
    assert characters(shown(tokens[1].children or [])) == characters(text)


@given(nasty)
@example("a](http://x)")
@example("`]`")
@example("`a](b)`")
@example("[x][y]")
@example("\\")
def test_the_text_of_a_link_stays_inside_of_its_link(text: str) -> None:
    [_, inline, _] = parse(f"[{escape.inline(text)}](#target)\n")
    children = inline.children or []

    assert [token.type for token in (children[0], children[-1])] == ["link_open", "link_close"]
    assert children[0].attrGet("href") == "#target"
    assert acting(children[1:-1]) == []
    assert characters(shown(children[1:-1])) == characters(text)


@given(nasty)
def test_nothing_that_hides_comes_through(text: str) -> None:
    for escaped in (
        escape.inline(text),
        escape.block(text),
        escape.heading(text),
        escape.cell(text),
        escape.message_cell(text),
        escape.code(text),
    ):
        assert not HIDDEN.search(escaped)
        assert len(escaped.splitlines()) <= 1


@given(nasty)
@example("")
@example(" ")
@example("\u200b")
@example("`")
@example("`` ` ```")
@example(" x ")
@example("`\u200b`")
def test_a_known_word_becomes_one_code_span(text: str) -> None:
    [_, inline, _] = parse(f"x{escape.code(text)}x\n")

    before, span, after = inline.children or []
    assert (before.content, span.type, after.content) == ("x", "code_inline", "x")
    assert characters(span.content) == characters(text)


@given(st.text(alphabet=st.characters(exclude_categories=["C", "Z"]), max_size=40))
def test_only_backslashes_are_added(text: str) -> None:
    assert unescaped(escape.inline(text)) == unescaped(text) or "\\" in text
    assert escape.inline(text).replace("\\", "") == text.replace("\\", "")


@given(st.text(max_size=100), st.integers(4, 80))
def test_a_title_is_shortened_to_the_width_and_no_further(text: str, width: int) -> None:
    short = escape.shorten(text, width)

    assert len(short) <= width
    assert short == text if len(text) <= width else short == text[: width - 3] + "..."


# --- examples ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "fix: plain words, (parens), #123; and a - dash + plus = equals!",
        "feat(chrek): external restore, signal-based IPC (#6286)",
        "`--modality multimodal` and ``a ` b``",
        "snake_case_name and a/b/c_d.py",
        "AT&T, a & b, x && y; 3 > 2",
        "refs owner/name#12, @somebody",
        "中文，标点。🐛",
        "key: value, 12:30, C++, a:b::c",
    ],
)
def test_plain_punctuation_and_code_spans_stay_as_they_are(text: str) -> None:
    assert escape.inline(text) == text
    assert escape.cell(text) == text


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("<img src=x onerror=alert(1)>", r"\<img src=x onerror=alert(1)>"),
        ("![x](http://a)", r"!\[x\](http\://a)"),
        ("see https://a.example and www.a.example", r"see https\://a.example and www\.a.example"),
        ("HTTP://A and WWW.A", r"HTTP\://A and WWW\.A"),
        ("*a* _b_ ~~c~~ __d__", r"\*a\* \_b\_ \~\~c\~\~ \_\_d\_\_"),
        ("a_b _c", r"a_b \_c"),
        ("&lt; &#60; &#x3c; & &;", r"\&lt; \&#60; \&#x3c; & &;"),
        ("an `open end", r"an \`open end"),
        ("``` `x` ", r"\`\`\` `x`"),
        ("a\\b", r"a\\b"),
        ("$1 and $2", r"\$1 and \$2"),
        ("one\ntwo", "one two"),
    ],
)
def test_what_would_act_is_escaped(text: str, escaped: str) -> None:
    assert escape.inline(text) == escaped


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a|b", r"a\|b"),
        ("`a|b`", r"`a\|b`"),
        (r"`a\|b`", r"\`a\\\|b\`"),
        (r"a\|b", r"a\\\|b"),
        ("a\\", r"a\\"),
    ],
)
def test_a_pipe_in_a_cell_never_parts_it(text: str, escaped: str) -> None:
    assert escape.cell(text) == escaped


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("# x", r"\# x"),
        ("#1 is fixed", "#1 is fixed"),
        ("- x", r"\- x"),
        ("-x", "-x"),
        ("+ x", r"\+ x"),
        ("> x", r"\> x"),
        ("---", r"\---"),
        ("--", r"\--"),
        ("-- --", r"\-- --"),
        ("--flag", "--flag"),
        ("---flag", "---flag"),
        ("===", r"\==="),
        ("1. x", r"1\. x"),
        ("10) x", r"10\) x"),
        ("1.5 times", "1.5 times"),
        ("2026", "2026"),
        ("* x", r"\* x"),
        ("~~~", r"\~\~\~"),
        ("```", r"\`\`\`"),
        ("    x", "x"),
    ],
)
def test_a_mark_of_a_block_is_escaped_only_where_it_is_one(text: str, escaped: str) -> None:
    assert escape.block(text) == escaped


def test_empty_lines_and_sign_offs_are_left_out_of_a_cell() -> None:
    message = (
        "fix: it\n\n  \nwhy\r\nSigned-off-by: A <a@b>\nCo-authored-by: C\n see Signed-off-by\n\u200b\nend  \n"
    )

    assert escape.message_cell(message) == "fix: it<br>why<br> see Signed-off-by<br>end"


def test_joiners_that_scripts_and_emoji_need_stay() -> None:
    family = "👩\u200d💻 می\u200cخواهم"

    assert escape.inline(family) == family


@pytest.mark.parametrize(
    "text", ["_a" * 50_000, "`" * 50_000, "`a``b" * 20_000, "&amp;" * 20_000, "|\\" * 50_000]
)
def test_a_long_message_takes_time_in_proportion_to_its_length(text: str) -> None:
    started = time.perf_counter()

    escape.message_cell(text)

    assert time.perf_counter() - started < 3


def test_every_token_is_looked_at() -> None:
    found = [token.type for token in every(parse("*a* `b`\n"))]

    assert acting(parse("*a* www.x <b>\n")[1].children or []) == [
        *("em_open", "em_close", "address:  www.x ", "html: <b>"),
    ]
    assert "code_inline" in found
