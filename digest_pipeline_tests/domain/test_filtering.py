"""What leaves a commit out, what folds it, and which commits of several branches say the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from digest_pipeline.domain.bots import is_bot
from digest_pipeline.domain.cherry_picks import Pick, duplicates, patch_id
from digest_pipeline.domain.commit import Commit, FileChange, PatchState
from digest_pipeline.domain.filtering import Filter, filter_reason, folded
from digest_pipeline.domain.globs import Globs
from digest_pipeline.domain.reformats import Revisions
from digest_pipeline.sources.git import GitSource
from digest_pipeline_tests.fakes.repositories import RepositoryBuilder, git

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
SHA = "a1b2c3d4" * 5


def commit(name: str = "Ada", email: str = "ada@example.org", **more: object) -> Commit:
    fields: dict[str, Any] = {
        "sha": SHA,
        "parents": ("1" * 40,),
        "message": "feat: one",
        "committed_at": NOON,
    }
    people = {"author_name": name, "author_email": email, "committer_name": "G", "committer_email": "g@x.org"}
    return Commit(**{**fields, **people, "authored_at": NOON, **more})


BOT = ("dependabot[bot]", "49699333+dependabot[bot]@users.noreply.github.com")
MERGE = ("1" * 40, "2" * 40)


# --- the rules -------------------------------------------------------------------------------------------


def test_without_rules_everything_passes() -> None:
    for one in (commit(), commit(*BOT), commit(parents=MERGE)):
        assert filter_reason(one, [], [], Filter()) is None


def test_each_rule_leaves_out_what_it_says() -> None:
    words = {"of": "words"}
    only_lib = Filter(paths=Globs(["lib/**", "!**/*.md"]))
    assert filter_reason(commit(), ["src/a", "lib/a.rs"], (), only_lib) is None
    assert filter_reason(commit(), ["src/a", "lib/a.md"], (), only_lib) == "paths"
    assert filter_reason(commit(), [], (), only_lib) == "paths"

    ours = Filter(authors=Globs(["*@example.org", "!grace*"], **words))  # type: ignore[arg-type]
    assert filter_reason(commit("Ada"), [], (), ours) is None
    assert filter_reason(commit("Grace"), [], (), ours) == "authors"
    assert filter_reason(commit("Ada", "ada@x.org"), [], (), ours) == "authors"

    labelled = Filter(labels=Globs(["feature", "!wip"], **words))  # type: ignore[arg-type]
    assert filter_reason(commit(), [], ["Feature"], labelled) is None
    assert [filter_reason(commit(), [], labels, labelled) for labels in (["feature", "wip"], [])] == [
        "labels"
    ] * 2

    assert filter_reason(commit(parents=MERGE), [], (), Filter(merges=False)) == "merges"
    assert filter_reason(commit(*BOT), [], (), Filter(bots="drop")) == "bots"
    assert filter_reason(commit(*BOT), [], (), Filter(bots="show")) is None


def test_what_is_not_known_leaves_nobody_out() -> None:
    strict = Filter(paths=Globs(["lib/**"]), labels=Globs(["feature"], of="words"))

    assert filter_reason(commit(), None, None, strict) is None
    assert filter_reason(commit(), ["src/a"], None, strict) == "paths"
    assert filter_reason(commit(), None, [], strict) == "labels"


def test_what_needs_no_files_is_told_before_what_does() -> None:
    strict = Filter(paths=Globs(["lib/**"]), merges=False, bots="drop")

    assert filter_reason(commit(parents=MERGE), ["src/a"], None, strict) == "merges"
    assert filter_reason(commit(*BOT), ["src/a"], None, strict) == "bots"


# --- who is a bot ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "email"),
    [
        BOT,
        ("renovate[bot]", "29139614+renovate[bot]@users.noreply.github.com"),
        ("Renovate Bot", "bot@renovateapp.com"),
        ("github-actions", "41898282+github-actions[bot]@users.noreply.github.com"),
        ("GitHub Action", "action@github.com"),
        ("some-new-thing[BOT]", "x@example.org"),
        ("Some New Thing", "123+some-new-thing[bot]@users.noreply.github.com"),
        ("dependabot", "support@dependabot.com"),
        ("someone", "8+k8s-ci-robot@users.noreply.github.com"),
        ("vllm-bot", "bot@example.org"),
    ],
)
def test_a_bot_is_known_by_its_mark_or_its_name(name: str, email: str) -> None:
    assert is_bot(name, email)
    assert folded(commit(name, email), (), Filter()) == "bot"
    assert folded(commit(name, email), (), Filter(bots="show")) is None


@pytest.mark.parametrize(
    ("name", "email"),
    [
        ("Abbot", "abbot@example.org"),
        ("Jan Bot", "jan-bot@example.org"),
        ("Robot Lover", "robot@example.org"),
        ("Rene", "renovate@example.org"),
        ("", ""),
        ("copilot-swe-agent[bot]", "198982749+Copilot@users.noreply.github.com"),
        ("devin-ai-integration[bot]", "158243242+devin-ai-integration[bot]@users.noreply.github.com"),
    ],
)
def test_a_person_is_none_and_neither_is_an_agent_that_writes_what_it_was_asked_for(
    name: str, email: str
) -> None:
    assert not is_bot(name, email)


# --- what only reformats ---------------------------------------------------------------------------------


def test_revisions_are_read_as_git_reads_them() -> None:
    text = f"# black everywhere\r\n\n  {SHA.upper()}  # twice\n{'b' * 12}\nshort\n{'c' * 6}\n{SHA} {SHA}\n#{'d' * 40}\n"
    revisions = Revisions(text)

    assert SHA in revisions
    assert "b" * 40 in revisions
    assert not any(one * 40 in revisions for one in "cde")
    assert folded(commit(), revisions, Filter()) == "reformat"
    assert folded(commit(*BOT), revisions, Filter()) == "bot"
    assert folded(commit(), Revisions(None), Filter()) is None


@pytest.mark.parametrize(
    "text", ["\0" * 9, "a" * 100_000, "\ud800", "７" * 40, "*\n.*\n[0-9a-f]+\n", "\x1b[2J"]
)
def test_what_is_no_revision_names_nothing(text: str) -> None:
    assert SHA not in Revisions(text)


def test_a_file_of_a_hundred_thousand_lines_is_as_fast_as_a_short_one() -> None:
    text = "\n".join(f"{number:07x}" for number in range(0x100000, 0x100000 + 100_000))
    revisions = Revisions(text)

    assert sum(f"{number:040x}" in revisions for number in range(10_000)) == 0
    assert f"{0x100001:07x}".ljust(40, "0") in revisions


# --- what says the same ----------------------------------------------------------------------------------


def test_patches_are_alike_exactly_where_git_says_so(tmp_path: Path) -> None:
    builder = RepositoryBuilder(tmp_path / "r")
    lines = [f"line {number}" for number in range(1, 41)]
    builder.write("a.txt", "\n".join(lines) + "\n")
    builder.write("b.txt", "b\n")
    root = builder.commit("root")

    def variant(branch: str, *edits: tuple[int, str], more: bool = False, shift: int = 0) -> None:
        builder.git("switch", "--quiet", "--create", branch, root)
        if shift:
            builder.write("a.txt", "\n".join([*["new"] * shift, *lines]) + "\n")
            builder.commit("shift")
        changed = [*["new"] * shift, *lines]
        for number, text in edits:
            changed[number - 1 + shift] = text
        builder.write("a.txt", "\n".join(changed) + "\n")
        if more:
            builder.write("b.txt", "b\nmore\n")
        builder.commit(branch)

    variant("one", (20, "twenty"))
    variant("same", (20, "twenty"))
    variant("shifted", (20, "twenty"), shift=7)
    variant("white", (20, "  twen ty"))
    variant("other", (20, "zwanzig"))
    variant("more", (20, "twenty"), more=True)
    variant("more-again", (20, "twenty"), more=True)
    variant("place", (25, "twenty"))
    builder.git("switch", "--quiet", "--create", "moved", root)
    builder.move("a.txt", "c.txt")
    builder.write("c.txt", "\n".join(["first", *lines]) + "\n")
    builder.commit("moved")

    shas = builder.git("rev-list", "--all", "--no-merges", f"^{root}").decode().split()
    source = GitSource(repo="r", url=str(builder.path), branch=None, mirror_dir=tmp_path / "none")
    source.refresh()
    ours = {change.sha: patch_id(change.files, "Ada") for change in source.changes(shas)}
    patches = git(
        builder.path, "diff-tree", "-p", "-M", "--stdin", stdin="".join(f"{sha}\n" for sha in shas).encode()
    )
    told = git(builder.path, "patch-id", "--stable", stdin=patches).decode().splitlines()
    theirs = {sha: identity for identity, sha in map(str.split, told)}

    assert len(set(theirs.values())) < len(theirs) == len(shas)
    assert {(a, b) for a in shas for b in shas if ours[a] == ours[b]} == {
        (a, b) for a in shas for b in shas if theirs[a] == theirs[b]
    }


def test_what_nobody_saw_whole_is_like_nothing_and_a_picture_like_its_author_alone() -> None:
    def file(state: PatchState, patch: str | None = None, path: str = "a") -> FileChange:
        return FileChange(path, None, "modified", 0, 0, patch, state)

    assert patch_id([], "Ada") is None
    assert patch_id([file("text", "@@ -1 +1 @@\n-a\n+b"), file("missing")], "Ada") is None
    assert patch_id([file("incomplete", "@@ -1 +1 @@")], "Ada") is None
    picture = [file("binary")]
    assert patch_id(picture, "Ada 1") == patch_id(picture, "Ada 1") != patch_id(picture, "Ada 2")
    text = [file("text", "@@ -1 +1 @@\n-a\n+b"), file("text", "@@ -1 +1 @@\n-a\n+b", "b")]
    assert patch_id(text, "Ada") == patch_id(text[::-1], "Grace")


def test_the_tracked_branch_wins_else_the_earliest() -> None:
    def pick(sha: str, branch: str | None, hours: int) -> Pick:
        return Pick(sha, branch, NOON + timedelta(hours=hours))

    assert duplicates([pick("a", "release", 0), pick("b", None, 5)]) == {"a"}
    assert duplicates([pick("a", "old", 3), pick("b", "new", 1), pick("c", "newer", 2)]) == {"a", "c"}
    assert duplicates([pick("a", None, 0), pick("b", None, 5)]) == set()
    assert duplicates([pick("a", "release", 0), pick("b", "release", 5)]) == set()
    assert duplicates([pick("a", "release", 0), pick("b", "release", 5), pick("c", None, 9)]) == {"a", "b"}
    assert duplicates([pick("a", "release", 0)]) == set()
