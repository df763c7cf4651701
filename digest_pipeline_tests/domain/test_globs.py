"""Which texts a list of globs lets through, as the module says it, and that no text makes it slow."""

from __future__ import annotations

import time
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest_pipeline.domain.globs import Globs

PATHS = {
    "*.md": ({"a.md", "docs/deep/a.md", ".md"}, {"a.mdx", "a.md/b"}),
    "/*.md": ({"a.md"}, {"docs/a.md"}),
    "docs": ({"docs", "docs/a/b", "x/docs/a"}, {"docs2", "mydocs/a"}),
    "docs/": ({"docs/a", "x/docs/a/b"}, {"docs"}),
    "/docs/": ({"docs/a"}, {"docs", "x/docs/a"}),
    "lib/llm": ({"lib/llm", "lib/llm/a"}, {"x/lib/llm/a", "lib/llm2"}),
    "lib/*": ({"lib/a"}, {"lib/a/b", "lib"}),
    "lib/**": ({"lib/a", "lib/a/b"}, {"lib", "x/lib/a"}),
    "**/*.md": ({"a.md", "x/y/a.md"}, {"a.txt"}),
    "**/test/**": ({"test/a", "x/test/y/a"}, {"test", "x/test"}),
    "a/**/b": ({"a/b", "a/x/y/b", "a/b/b"}, {"ab", "x/a/b"}),
    "a/**/b/*/c": ({"a/b/x/c", "a/b/b/x/c"}, {"a/b/c"}),
    "**/a/**/b/**/c": ({"a/b/c", "x/a/a/b/b/c", "a/x/b/y/z/c"}, {"a/c/b"}),
    "**": ({"a", "a/b"}, set()),
    "a**c": ({"abc", "x/abbc"}, {"a/c"}),
    "?at": ({"cat", "x/bat"}, {"at", "/at"}),
    "x/[a-c][!0-9]": ({"x/ab", "x/c-"}, {"x/d-", "x/a1", "x/a/"}),
    "x/[]!]": ({"x/]", "x/!"}, {"x/a"}),
    "{src,lib/{a,b}}/**/*.{py,rs}": ({"src/x.py", "lib/a/y/x.rs"}, {"lib/c/x.rs", "src/x.md"}),
    r"\{a\}/\*\[\\": ({"{a}/*[\\"}, {"a/*["}),
    "a+(b)|c.d$^": ({"a+(b)|c.d$^"}, {"aab"}),
    "README.MD": ({"README.MD"}, {"readme.md"}),
}


@pytest.mark.parametrize("pattern", PATHS)
def test_a_path_passes_exactly_where_the_pattern_says(pattern: str) -> None:
    meets, misses = PATHS[pattern]

    assert {text for text in meets | misses if Globs([pattern]).admits(text)} == meets
    assert {text for text in meets | misses if Globs([f"!{pattern}"]).admits(text)} == misses


def test_one_pattern_lets_in_and_none_may_leave_out_in_whatever_order() -> None:
    for globs in (Globs(["lib/**", "!**/*.md", "docs/**"]), Globs(["!**/*.md", "docs/**", "lib/**"])):
        assert globs.admits_any(["src/a", "lib/a.rs"])
        assert not globs.admits_any(["src/a", "lib/a.md", "docs/a.md"])
        assert not globs.admits_any([])
    assert Globs([]).admits("anything")
    assert not Globs([])
    assert Globs(["!a"])
    assert Globs(["!docs/**"]).admits("lib/a")


def test_a_branch_is_matched_as_a_whole() -> None:
    globs = Globs(["main", "release/*", "!release/old-*", "user/**"], of="branches")

    passing = {"main", "release/1.0", "user/a/b"}
    others = {"x/main", "main/x", "release/old-1", "release/1/2", "release", "Main"}
    assert {name for name in passing | others if globs.admits(name)} == passing


def test_words_have_no_capitals_no_folders_and_bots_in_brackets() -> None:
    globs = Globs(["*@nvidia.com", "kind/bug", "a [x]"], of="words")
    assert all(map(globs.admits, ["Ada@NVIDIA.com", "x/y@nvidia.com", "Kind/Bug", "A [X]", "a x"]))
    assert not globs.admits("kind/bugs")

    for pattern in ("!dependabot[bot]", "!*[bot]", "!Dependabot*"):
        left_out = Globs([pattern], of="words")
        assert not left_out.admits("dependabot[bot]")
        assert left_out.admits("ada")


def test_what_goes_by_several_words_passes_together() -> None:
    globs = Globs(["feature", "bug*", "!no-*"], of="words")

    assert globs.admits_together(["docs", "bugfix"])
    assert not globs.admits_together(["feature", "no-digest"])
    assert not globs.admits_together(["docs"])
    assert not globs.admits_together([])
    assert Globs(["!no-*"], of="words").admits_together([])


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("", "says nothing"),
        ("!", "says nothing"),
        ("//", "says nothing"),
        ("a[b", "without its ]"),
        ("a{b,{c}", "without its }"),
        ("a\\", "ends in a backslash"),
        ("[z-a]", "no range"),
        ("{a,b}" * 12, "more than 1000"),
    ],
)
def test_what_is_no_pattern_is_refused_with_what_is_wrong(pattern: str, said: str) -> None:
    for kind in ("paths", "branches", "words"):
        if kind != "words" or pattern != "//":
            with pytest.raises(ValueError, match=said):
                Globs([pattern], of=kind)


@given(st.text("ab/*?", min_size=1, max_size=6), st.text("ab/", max_size=8))
def test_words_are_matched_as_fnmatch_does(pattern: str, text: str) -> None:
    if pattern.strip("/"):
        assert Globs([pattern], of="words").admits(text) == (fnmatchcase(text, pattern) or text == pattern)


@given(
    st.lists(st.sampled_from(["a", "b", "*", "a*", "*b", "?", "**"]), min_size=1, max_size=5),
    st.lists(st.sampled_from(["a", "b", "ab", "aab"]), min_size=1, max_size=5),
)
def test_folders_are_matched_as_one_folder_after_the_other_would_be(
    pattern: list[str], path: list[str]
) -> None:
    def meets(globs: list[str], names: list[str]) -> bool:
        if not globs:
            return not names
        if globs[0] == "**":
            if len(globs) == 1:
                return bool(names)
            return any(meets(globs[1:], names[start:]) for start in range(len(names) + 1))
        return bool(names) and fnmatchcase(names[0], globs[0]) and meets(globs[1:], names[1:])

    assert Globs(["/".join(pattern)], of="branches").admits("/".join(path)) == meets(pattern, path)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("**/a/**/a/**/a/**/a/**/b", "a/" * 2000 + "a"),
        ("*a*a*a*a*a*a*a*b", "a" * 4096),
        ("**/*a*a*/**/*a*a*/**/x", "aaaa/" * 800 + "a"),
    ],
)
def test_no_path_makes_a_pattern_slow(pattern: str, path: str) -> None:
    started = time.process_time()

    assert not Globs([pattern]).admits(path)
    assert time.process_time() - started < 0.5
