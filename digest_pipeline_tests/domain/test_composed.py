"""The gate on what a model composes: what was given passes, and nothing else does."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from digest_pipeline.domain.analysis import Analysis, Language, Status
from digest_pipeline.domain.composed import (
    MOST_GIVEN,
    Analysed,
    Given,
    GivenCommit,
    Sentence,
    fault,
    given_of,
    leading_tiers,
    read_sentences,
)

if TYPE_CHECKING:
    from digest_pipeline.domain.importance import Tier

FIRST, SECOND, THIRD = "a1" * 20, "b2" * 20, "c3" * 20
GIVEN = Given(
    "ada/engine",
    date(2026, 2, 21),
    (
        GivenCommit(
            FIRST,
            "feat!: drop the old router (#812)",
            812,
            "high",
            (
                "`KvRouter.route()` is gone; callers use `Scheduler::pick` with 3 retries",
                "12,000 lines moved",
            ),
        ),
        GivenCommit(SECOND, "fix: leak in FP8 path (#813)", 813, "high", ("frees `lib/kv/pool.rs` buffers",)),
        GivenCommit(THIRD, "perf: batch copies (#814)", 814, "high", ("拷贝合并为四个批次，快 1.5 倍",)),
    ),
)


def one(text: str, *shas: str) -> list[Sentence]:
    return [Sentence(text, shas or (FIRST,))]


@pytest.mark.parametrize(
    ("text", "shas", "language"),
    [
        (
            "Callers of `KvRouter.route()` move to `Scheduler::pick`, which retries three times (#812).",
            (FIRST,),
            "en",
        ),
        ("The FP8 path no longer leaks, in lib/kv/pool.rs.", (SECOND,), "en"),
        ("Two commits matter: 12000 lines moved, and a leak is gone.", (FIRST, SECOND), "en"),
        ("拷贝合并为 4 个批次，速度是原来的 1.5 倍（#814）。", (THIRD,), "zh"),
        ("`KvRouter.route()` 已删除，请改用 `Scheduler::pick`，最多重试三次，一致性不变。", (FIRST,), "zh"),
    ],
)
def test_what_was_given_passes(text: str, shas: tuple[str, ...], language: Language) -> None:
    assert fault(one(text, *shas), GIVEN, language) is None


@pytest.mark.parametrize(
    ("text", "shas", "reason"),
    [
        ("The old router is gone, see #999.", (FIRST,), "#999 is no pull request"),
        ("The old router is gone, see #813.", (FIRST,), "#813 is no pull request"),
        ("The old router is gone, see PR 99 for more.", (FIRST,), "#99 is no pull request"),
        ("The old router is gone since deadbeef1.", (FIRST,), "deadbeef1 is none of the commits"),
        ("The new scheduler is 40 % faster now.", (FIRST,), "the number 40 stands nowhere"),
        (
            "The new scheduler retries four hundred times.",
            (SECOND,),
            "the number four hundred stands nowhere",
        ),
        ("The new scheduler is thirty percent faster.", (FIRST,), "the number thirty stands nowhere"),
        ("The new scheduler halves the memory it takes.", (FIRST,), "the number halves stands nowhere"),
        ("The new scheduler doubles the throughput.", (FIRST,), "the number doubles stands nowhere"),
        ("The new scheduler serves a billion requests.", (FIRST,), "the number billion stands nowhere"),
        ("The new scheduler takes ½ of the memory.", (FIRST,), "the number ½ stands nowhere"),
        ("The new scheduler is 21 % faster, as of now.", (FIRST,), "the number 21 stands nowhere"),
        ("The new scheduler is 5 times as fast, as of now.", (THIRD,), "the number 5 stands nowhere"),
        ("The new scheduler handles 812 requests, as of now.", (FIRST,), "the number 812 stands nowhere"),
        ("The old router goes with PRs 812 and 18.", (FIRST,), "#18 is no pull request"),
        ("The old router goes, see pull/18 and issue 812.", (FIRST,), "#18 is no pull request"),
        ("The old router goes, see PR-99 for all of it.", (FIRST,), "#99 is no pull request"),
        ("The old router is documented at EVIL.COM for all.", (FIRST,), "'EVIL.COM' stands nowhere"),
        ("The old router goes, contact mailto:root now.", (FIRST,), "no addresses"),
        (
            "The old router goes, and all Kubernetes users must migrate.",
            (FIRST,),
            "'Kubernetes' stands nowhere",
        ),
        (
            "The FP8 path is now a matter of Scheduler::pick as well.",
            (SECOND,),
            "'Scheduler::pick' stands nowhere",
        ),
        ("The FP8 path no longer leaks, with 3 retries.", (SECOND,), "the number 3 stands nowhere"),
        ("The FP8 path is orders of magnitude faster now.", (SECOND,), "stands nowhere"),
        ("The FP8 path gains a tenfold speed now.", (SECOND,), "the number tenfold stands nowhere"),
        ("Nothing to do, all of it stays compatible.", (FIRST,), "says what did not happen"),
        ("Copies are 2.5 times as fast in the new path.", (THIRD,), "the number 2.5 stands nowhere"),
        (
            "Callers now use `Scheduler::drop_all` in its place.",
            (FIRST,),
            "'Scheduler::drop_all' stands nowhere",
        ),
        ("Callers now use SchedulerPool in its place.", (FIRST,), "'SchedulerPool' stands nowhere"),
        ("The H100 path no longer leaks its buffers.", (SECOND,), "'H100' stands nowhere"),
        ("The old router is gone: https://evil.example/x", (FIRST,), "no addresses"),
        ("The old router is gone, says [the page](x.md).", (FIRST,), "no addresses"),
        ("The old router is gone, as @ada asked for.", (FIRST,), "no addresses"),
        ("The old router is gone <img src=x> at last.", (FIRST,), "no addresses"),
        ("The old router is gone, and callers move on.", (), "names no commit"),
        ("s", (FIRST,), "placeholder"),
        ("这个路由器已经被删除了，请改用新的调度器。", (FIRST,), "not written in English"),
        ("The old router is gone. " * 40, (FIRST,), ""),
    ],
)
def test_what_was_not_given_is_sent_back_with_the_reason(
    text: str, shas: tuple[str, ...], reason: str
) -> None:
    told = fault([Sentence(text, shas)], GIVEN, "en")
    assert told is not None
    assert reason in told


@pytest.mark.parametrize(
    "text",
    [
        "新的拷贝方式快百分之三十，内存不变。",
        "新的拷贝方式让内存减半，速度不变。",
        "新的拷贝方式支持三百个请求同时进行。",
        "新的拷贝方式让吞吐翻倍，内存不变。",
        "新的拷贝方式移动了两万行代码。",
        "新的拷贝方式快数十倍，内存不变。",
        "新的拷贝方式来自合并请求 814 和 18。",
    ],
)
def test_a_number_in_chinese_words_is_a_number(text: str) -> None:
    assert fault(one(text, THIRD), GIVEN, "zh") is not None


def test_a_commit_is_told_of_once_and_a_sentence_stands_once() -> None:
    first, again = "The old router is gone for good.", "Nobody can call the old router now."
    assert "named twice" in str(fault([*one(first), *one(again)], GIVEN, "en"))
    assert "stands twice" in str(fault([*one(first), *one(first, SECOND)], GIVEN, "en"))
    many = [Sentence(f"The old router is gone, {word}.", (FIRST,)) for word in ("a", "b", "c", "d", "e", "f")]
    assert "6 sentences are too many" in str(fault(many, GIVEN, "en"))


def test_commits_are_meant_however_they_are_named() -> None:
    for name in (FIRST, FIRST[:7], f"`{FIRST[:12]}`", "#812", "812"):
        found = read_sentences({"sentences": [{"text": " a\n b ", "commits": [name]}]}, GIVEN)
        assert found == [Sentence("a b", (FIRST,))]
    assert "none of the commits" in read_sentences(
        {"sentences": [{"text": "a", "commits": ["d4" * 20]}]}, GIVEN
    )


@pytest.mark.parametrize(
    "form", [{}, {"sentences": []}, {"sentences": "a"}, {"sentences": ["a"]}, {"sentences": [{"text": "a"}]}]
)
def test_a_form_that_is_none_is_told(form: dict[str, object]) -> None:
    assert isinstance(read_sentences(form, GIVEN), str)


@drawn(st.text(), st.lists(st.sampled_from([FIRST, SECOND, THIRD]), max_size=3))
def test_nothing_that_a_model_writes_breaks_the_gate(text: str, shas: list[str]) -> None:
    for language in ("zh", "en"):
        told = fault([Sentence(text, tuple(shas))], GIVEN, language)
        assert told is None or told


def analysed(number: int, tier: Tier = "high", status: Status = "ok", score: int = 9) -> Analysed:
    analysis = Analysis(summary=[f"does {number}"]) if status == "ok" else None
    return Analysed(f"{number:040x}", f"feat: {number}\n\nbody", number, tier, score, status, analysis)


def test_a_day_leads_with_what_is_high_and_with_more_where_that_is_little() -> None:
    assert leading_tiers(["high", "high", "high", "medium"]) == {"high"}
    assert leading_tiers(["high", "medium", "low"]) == {"high", "medium"}
    assert leading_tiers(["medium", "low"]) == leading_tiers([]) == {"high", "medium", "low"}


def test_a_headline_waits_for_the_leading_commits_and_for_no_other() -> None:
    leading = [analysed(number) for number in (1, 2, 3)]
    day = date(2026, 2, 21)
    made = given_of("a/b", day, [*leading, analysed(4, "low", "deferred")])
    assert made is not None
    assert [commit.title for commit in made.commits] == ["feat: 1", "feat: 2", "feat: 3"]
    assert given_of("a/b", day, [*leading, analysed(4, "high", "deferred")]) is None
    failed = given_of("a/b", day, [*leading, analysed(4, "high", "failed")])
    assert failed is not None
    assert len(failed.commits) == 3
    assert given_of("a/b", day, [analysed(1)]) is None, "what a single commit does, its analysis says"
    assert given_of("a/b", day, []) is None


def test_of_very_many_the_heaviest_are_given_in_the_page_s_order() -> None:
    commits = [analysed(number, score=number % 7) for number in range(2 * MOST_GIVEN)]
    made = given_of("a/b", date(2026, 2, 21), commits)
    assert made is not None
    shas = [commit.sha for commit in made.commits]
    assert len(shas) == MOST_GIVEN
    assert shas == sorted(shas)


def test_another_analysis_is_another_question_and_the_same_is_the_same() -> None:
    commits = [analysed(1), analysed(2)]
    made, again = (given_of("a/b", date(2026, 2, 21), commits) for _ in range(2))
    other = given_of(
        "a/b", date(2026, 2, 21), [commits[0], replace(commits[1], analysis=Analysis(summary=["else"]))]
    )
    assert made is not None
    assert again is not None
    assert other is not None
    assert made.key == again.key != other.key
