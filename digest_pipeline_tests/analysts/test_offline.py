"""Facts without a model: right on hand-made commits, the same every time, never a crash."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest_pipeline.analysts import Cue, CueCategory, Subject
from digest_pipeline.analysts.offline import OFFLINE_VERSION, OfflineAnalyst
from digest_pipeline.domain.analysis import Analysis
from digest_pipeline.domain.commit import FileChange, FileStatus, PatchState
from digest_pipeline.domain.importance import TIERS
from digest_pipeline.domain.markdown import code_span
from digest_pipeline_tests.fakes.seed_day import seed_day

if TYPE_CHECKING:
    from digest_pipeline.domain.analysis import Language, Outcome
    from digest_pipeline.domain.importance import Tier

ANALYSTS: dict[Language, OfflineAnalyst] = {"en": OfflineAnalyst("en"), "zh": OfflineAnalyst("zh")}


def change(
    path: str,
    additions: int | None = 1,
    deletions: int | None = 0,
    *,
    status: FileStatus = "modified",
    previous_path: str | None = None,
    state: PatchState = "text",
) -> FileChange:
    return FileChange(path, previous_path, status, additions, deletions, None, state)


def subject(
    message: str = "feat: a thing",
    *files: FileChange,
    tier: Tier = "high",
    cues: tuple[Cue, ...] = (),
) -> Subject:
    return Subject(
        repo="owner/name",
        sha="a" * 40,
        message=message,
        author_name="Ada",
        committed_at=datetime(2026, 2, 21, tzinfo=UTC),
        tier=tier,
        files=files,
        cues=cues,
    )


def facts(
    message: str = "feat: a thing",
    *files: FileChange,
    tier: Tier = "high",
    cues: tuple[Cue, ...] = (),
    language: Language = "en",
) -> Analysis:
    analysis = ANALYSTS[language].outcome(subject(message, *files, tier=tier, cues=cues)).analysis
    assert analysis is not None
    return analysis


# --- what it is, and how it is marked --------------------------------------------------------------------------


def test_it_says_of_itself_that_no_model_was_asked() -> None:
    for language, analyst in ANALYSTS.items():
        outcome = analyst.outcome(subject())

        assert (analyst.name, analyst.model, analyst.language) == ("offline", "offline", language)
        assert analyst.reads_patches is False
        assert (outcome.status, outcome.analyst, outcome.model) == ("ok", "offline", "offline")
        assert outcome.prompt_version == OFFLINE_VERSION
        assert (outcome.usage.tokens_in, outcome.usage.tokens_out) == (0, 0)


def test_every_subject_gets_one_outcome_in_its_order() -> None:
    subjects = [subject(f"fix: {number}") for number in range(5)]

    async def run() -> list[tuple[Subject, Outcome]]:
        return [pair async for batch in ANALYSTS["en"].analyse(iter(subjects)) for pair in batch]

    pairs = asyncio.run(run())

    assert [one for one, _ in pairs] == subjects
    assert all(outcome == ANALYSTS["en"].outcome(one) for one, outcome in pairs)


def test_it_fills_the_fields_of_the_tier_and_no_others() -> None:
    message = "fix: a thing\n\n- BREAKING: b\n- faster\n- security"
    files = (change("src/a.py", 3, 2), change("src/b.py", 4, 0, status="added"))

    high, medium, low = (facts(message, *files, tier=tier) for tier in TIERS)

    assert all(getattr(high, name) for name in Analysis.model_fields)
    assert medium.scope
    assert medium.advice
    assert [medium.architecture, medium.performance, medium.security, medium.risks] == [[], [], [], []]
    assert len(low.summary) == 1
    assert [low.scope, low.advice, low.risks] == [[], [], []]


# --- type and summary ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "change_type", "title"),
    [
        ("feat: add a thing (#12)", "New feature", "add a thing"),
        ("fix(core): mend it", "Bug fix (core)", "mend it"),
        ("Fix: mend it", "Bug fix", "mend it"),
        ("feat(api)!: drop it", "New feature (api)", "drop it"),
        ("wip: x", "Change", "wip: x"),
        ("Plain words", "Change", "Plain words"),
        ('Revert "feat: x (#1)" (#2)', "Revert", 'Revert "feat: x (#1)"'),
        ("revert: x", "Revert", "x"),
        ("feat:", "Change", "feat:"),
        ("feat(): x", "New feature", "x"),
    ],
)
def test_type_and_title_are_read_from_the_first_line(message: str, change_type: str, title: str) -> None:
    found = facts(message)

    assert found.change_type == change_type
    assert found.summary[0] == title


def test_the_area_stands_in_the_brackets_of_the_language() -> None:
    assert facts("fix(core): x", language="zh").change_type == "Bug 修复（core）"


def test_the_body_becomes_points_without_headings_and_trailers() -> None:
    message = (
        "feat: a\n\n## Why\nFirst line\nof a paragraph.\r\n\r\n- one\n  goes on\n* two\n1. three\n---\n\n"
        "Signed-off-by: A <a@b>\nCo-Authored-By: B <b@c>\n(cherry picked from commit 123)\n"
    )

    assert facts(message).summary == [
        *("a", "First line of a paragraph.", "one goes on", "two", "three"),
    ]


def test_a_question_that_heads_a_part_is_no_point() -> None:
    message = "fix: a\n\n* Why?\n\nIt was broken.\n\n* What?\n\nIt is mended."

    assert facts(message).summary == ["a", "It was broken.", "It is mended."]


def test_points_are_few_and_short() -> None:
    message = "feat: a\n\n" + "\n".join(f"- {'x' * 500} {number}" for number in range(20))

    summary = facts(message).summary

    assert len(summary) == 6
    assert all(len(point) <= 400 for point in summary)
    assert summary[1].endswith("…")


@pytest.mark.parametrize("message", ["", "(#12)", "\n\n"])
def test_a_message_that_says_nothing_makes_no_empty_point(message: str) -> None:
    for tier in TIERS:
        assert facts(message, tier=tier).summary == []


# --- modules and their share -----------------------------------------------------------------------------------


def test_modules_are_folders_three_deep_by_their_share_of_the_changed_lines() -> None:
    scope = facts(
        "feat: x",
        change("a/b/c/d/one.py", 50, 10),
        change("a/b/c/two.py", 15, 0),
        change("lib/three.rs", 10, 10),
        change("README.md", 5, 0),
    ).scope

    assert scope == [
        "`a/b/c`: 75 % of the change (2 files, +65 −10)",
        "`lib`: 20 % of the change (1 file, +10 −10)",
        "`README.md`: 5 % of the change (1 file, +5 −0)",
    ]


def test_where_all_files_lie_in_one_folder_its_own_folders_are_told_apart() -> None:
    apart = facts("feat: x", change("a/b/c/d/e/1.py", 3, 0), change("a/b/c/d/f/2.py", 1, 0)).scope
    alone = facts("feat: x", change("a/b/c/d/1.py"), change("a/b/c/d/2.py")).scope

    assert [point.partition(":")[0] for point in apart] == ["`a/b/c/d/e`", "`a/b/c/d/f`"]
    assert alone == ["`a/b/c/d`: 100 % of the change (2 files, +2 −0)"]


def test_in_chinese_too() -> None:
    scope = facts("feat: x", change("lib/a.rs", 3, 1), change("b", 12, 0), language="zh").scope

    assert scope == [
        "`b`：占改动的 75 %（1 个文件，+12 −0）",
        "`lib`：占改动的 25 %（1 个文件，+3 −1）",
    ]


def test_without_lines_the_number_of_files_counts() -> None:
    scope = facts(
        "chore: move",
        change("a/x.png", 0, 0, state="binary"),
        change("a/y.png", None, None, state="missing"),
        change("b/z", 0, 0, status="renamed", previous_path="c/z"),
    ).scope

    assert [point.partition(" %")[0] for point in scope] == ["`a`: 67", "`b`: 33"]


def test_many_modules_end_with_the_share_of_all_others() -> None:
    files = [change(f"m{number}/x.py", 10, 0) for number in range(10)]

    scope = facts("feat: x", *files).scope

    assert len(scope) == 6
    assert scope[0] == "`m0`: 10 % of the change (1 file, +10 −0)"
    assert scope[-1] == "5 more folders: 50 % of the change"


def test_a_commit_without_files_says_so() -> None:
    assert facts("chore: empty").scope == ["No file changed"]


# --- what happened to files --------------------------------------------------------------------------------------


def test_the_shape_of_a_change_counts_files_by_status_and_names_where_they_moved() -> None:
    architecture = facts(
        "refactor: x",
        change("a/1.py", status="added"),
        change("a/2.py", status="removed"),
        change("same/new1.py", status="renamed", previous_path="same/old1.py"),
        change("same/new2.py", status="renamed", previous_path="same/old2.py"),
        change("other/new.py", status="renamed", previous_path="other/old.py"),
        change("other/new2.py", status="renamed", previous_path="other/old2.py"),
        change("new/3.py", status="renamed", previous_path="old/3.py"),
        change("logo.png", 0, 0, state="binary"),
        change("vendor/lib", 1, 1, state="submodule"),
        change("run.sh", 0, 0, state="mode"),
    ).architecture

    assert architecture == [
        "Files: 1 added, 1 removed, 5 renamed, 3 modified",
        "Moved: `old` → `new`",
        "1 binary file",
        "Submodule changed: `vendor/lib`",
        "Mode changed: `run.sh`",
    ]


# --- cues --------------------------------------------------------------------------------------------------------


def test_names_that_are_gone_are_listed_by_file() -> None:
    cues = (
        Cue("removed", "a.py", "old_name"),
        Cue("removed", "a.py", "Other"),
        Cue("removed", "b.rs", "thing"),
    )

    assert facts("refactor: x", change("a.py"), change("b.rs"), cues=cues).risks == [
        "Public names are gone from `a.py`: `old_name`, `Other`",
        "Public names are gone from `b.rs`: `thing`",
    ]


def test_a_long_list_of_names_that_are_gone_says_that_there_are_more() -> None:
    cues = tuple(Cue("removed", "a.py", f"n{number}") for number in range(12))

    [risk] = facts("refactor: x", change("a.py"), cues=cues).risks

    assert risk.endswith("`n7` …")


def test_a_breaking_cue_stands_with_the_line_that_gave_it() -> None:
    cues = (Cue("breaking", "a.py", "+# deprecated: use `b`"),)

    assert facts("feat: x", change("a.py"), cues=cues).risks == ["`a.py` says: `` +# deprecated: use `b` ``"]


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("feat: x\n\nBREAKING CHANGE: y is gone", "BREAKING CHANGE: y is gone"),
        ("feat: x\n\n- y is no longer supported", "y is no longer supported"),
        ("feat: deprecate y", "feat: deprecate y"),
        ("feat!: drop y", "feat!: drop y"),
        ("fix(core)!: drop y", "fix(core)!: drop y"),
    ],
)
def test_a_message_that_announces_a_break_is_quoted(message: str, line: str) -> None:
    assert facts(message, change("a.py")).risks == [f"The message says: {line}"]


@pytest.mark.parametrize(
    "message",
    ["feat: x", "fix: unbreak it", "feat: x\n\nWow! y: z", "fix: x\n\nIt refactored y, breaking\n`--z`."],
)
def test_a_message_that_announces_none_is_not(message: str) -> None:
    assert facts(message, change("a.py")).risks == []


def test_a_security_cue_stands_with_the_line_that_gave_it() -> None:
    cues = (Cue("security", "a.py", "-requests.get(url, verify=False)"),)

    found = facts(
        "fix: CVE-2026-1234 in x\n\nSigned-off-by: Security <security@x>", change("a.py"), cues=cues
    )

    assert found.security == ["fix: CVE-2026-1234 in x", "`a.py`: `-requests.get(url, verify=False)`"]


def test_files_that_nobody_read_are_a_risk() -> None:
    files = [change(f"f{number}.py", None, None, state="missing") for number in range(5)]

    assert facts("feat: x", *files, change("g.py", state="incomplete")).risks == [
        "6 files were not read: `f0.py`, `f1.py`, `f2.py`, `f3.py` …"
    ]
    assert facts("feat: x", files[0]).risks == ["1 file was not read: `f0.py`"]


def test_in_the_medium_tier_two_risks_stand_before_the_advice() -> None:
    cues = tuple(Cue("removed", f"{number}.py", "x") for number in range(3))

    advice = facts("feat: x", change("a.py", 4, 1), tier="medium", cues=cues).advice

    assert [point.split(":")[0] for point in advice] == [
        "Public names are gone from `0.py`",
        "Public names are gone from `1.py`",
        "No test file changed with 5 lines of code",
    ]


# --- advice ------------------------------------------------------------------------------------------------------


def test_code_without_tests_is_named_with_its_lines() -> None:
    assert facts("feat: x", change("a.py", 4, 1), change("README.md", 9)).advice == [
        "No test file changed with 5 lines of code"
    ]
    assert facts("feat: x", change("a.py", 1)).advice == ["No test file changed with 1 line of code"]
    assert facts("feat: x", change("a.py", 4, 1), language="zh").advice == [
        "5 行代码改动没有伴随测试文件的改动"
    ]


def test_tests_that_changed_are_counted() -> None:
    assert facts("feat: x", change("a.py"), change("tests/test_a.py"), change("b_test.go")).advice == [
        "Tests changed: 2 of 3 files"
    ]


def test_dependencies_and_configuration_are_named() -> None:
    assert facts("chore: x", change("Cargo.toml"), change("Cargo.lock"), change("ci/a.yml")).advice == [
        "Dependencies changed: `Cargo.toml`",
        "Configuration changed: `ci/a.yml`",
    ]


def test_docs_alone_call_for_nothing() -> None:
    assert facts("docs: x", change("README.md")).advice == []


def test_numbers_in_the_message_are_followed_up_its_own_aside() -> None:
    message = "fix: x (#120)\n\nFollow-up of #118 and #119, see #118; not a#117, (#116) or #1."

    assert facts(message).advice == ["Follow-up named in the message: #118, #119"]


# --- always --------------------------------------------------------------------------------------------------------


words = st.sampled_from(
    [
        *(
            "feat",
            "fix(a)",
            "!",
            ":",
            ": ",
            "(#12)",
            "#123",
            "\n",
            "\n\n",
            "- ",
            "1. ",
            "##",
            "---",
            "`",
            "``",
            "|",
        ),
        *(
            "BREAKING",
            "CVE-1",
            "faster",
            "Revert ",
            "{",
            "}",
            "{x}",
            "%s",
            "Signed-off-by: a",
            "\r",
            "\u2028",
            "é中",
        ),
    ]
)
texts = st.lists(st.one_of(words, st.text(max_size=4)), max_size=12).map("".join)
counts = st.one_of(st.none(), st.integers(0, 10_000))
subjects = st.builds(
    Subject,
    repo=st.just("owner/name"),
    sha=st.just("b" * 40),
    message=texts,
    author_name=texts,
    committed_at=st.just(datetime(2026, 2, 21, tzinfo=UTC)),
    tier=st.sampled_from(TIERS),
    files=st.lists(
        st.builds(
            FileChange,
            path=st.one_of(texts, st.sampled_from(["a/b/c/d.py", "tests/x.py", "Cargo.toml"])),
            previous_path=st.one_of(st.none(), texts),
            status=st.sampled_from(get_args(FileStatus)),
            additions=counts,
            deletions=counts,
            patch=st.none(),
            patch_state=st.sampled_from(get_args(PatchState)),
        ),
        max_size=8,
    ).map(tuple),
    cues=st.lists(st.builds(Cue, st.sampled_from(get_args(CueCategory)), texts, texts), max_size=6).map(
        tuple
    ),
)


@given(subjects, st.sampled_from(["en", "zh"]))
def test_any_commit_gives_facts_and_the_same_facts_again(one: Subject, language: Language) -> None:
    outcome = ANALYSTS[language].outcome(one)

    assert outcome == OfflineAnalyst(language).outcome(one)
    assert outcome.status == "ok"
    assert outcome.analysis is not None
    assert outcome.analysis.change_type
    assert outcome.analysis == Analysis.model_validate_json(outcome.analysis.model_dump_json())
    for name in Analysis.model_fields.keys() - {"change_type"}:
        assert all(getattr(outcome.analysis, name))


@given(subjects.filter(lambda one: one.files and one.tier != "low"))
def test_the_shares_of_all_modules_add_up_to_the_change(one: Subject) -> None:
    analysis = ANALYSTS["en"].outcome(one).analysis
    assert analysis is not None

    shares = [
        int(share) for point in analysis.scope for share in re.findall(r": (\d+) % of the change", point)[-1:]
    ]

    assert len(shares) == len(analysis.scope) <= 6
    assert abs(sum(shares) - 100) <= len(shares)


@given(texts)
def test_a_word_in_a_code_span_comes_out_whole(text: str) -> None:
    match = re.fullmatch(r"(`+)( ?)(.*?)\2\1", code_span(text), re.DOTALL)

    assert match is not None
    assert match[1] not in re.findall(r"`+", match[3])


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_commit_of_a_recorded_day_is_worth_reading(language: Language) -> None:
    day = seed_day()
    for commit in day.commits:
        one = Subject(
            repo=day.repo,
            sha=commit.sha,
            message=commit.message,
            author_name=commit.author_name,
            committed_at=commit.committed_at,
            tier=day.tiers[commit.sha],
            files=day.changes[commit.sha].files,
        )
        analysis = ANALYSTS[language].outcome(one).analysis

        assert analysis is not None
        assert analysis.summary
        assert analysis.summary[0] in commit.title
        if one.tier != "low":
            assert analysis.scope
            assert analysis.advice
