"""What breaks, what is a matter of security, what is faster: said by somebody, denied by nobody."""

from __future__ import annotations

import pytest

from digest_pipeline.domain.analysis import Analysis
from digest_pipeline.domain.parts import parts_of
from digest_pipeline_tests.domain.pages import commit


def found(
    message: str,
    topic: str,
    *,
    offline: bool = False,
    paths: tuple[str, ...] = (),
    said: dict[str, list[str]] | None = None,
) -> str:
    """The evidence that puts a commit into a part; nothing where it is in none of that topic."""
    analysis = Analysis.model_validate({"summary": ["does a thing"], **(said or {})})
    one = commit("a", message, analysis=analysis, status="ok", is_offline=offline, paths=paths)
    return next((part.mentions[0].line for part in parts_of([one]) if part.topic == topic), "")


@pytest.mark.parametrize(
    ("message", "topic", "line"),
    [
        ("feat!: drop x", "breaking", "feat!: drop x"),
        ("feat!: drop x\n\nBREAKING CHANGE: y is gone", "breaking", "BREAKING CHANGE: y is gone"),
        ("fix: x\n\n* Deprecates `--old`", "breaking", "Deprecates `--old`"),
        ("fix: x\n\nNo breaking changes.", "breaking", ""),
        ("fix: x\n\n- [ ] Breaking change", "breaking", ""),
        ("fix: bump z (CVE-2026-1)", "security", "fix: bump z (CVE-2026-1)"),
        ("修复：越界读取漏洞", "security", "修复：越界读取漏洞"),
        ("perf(router): half the copies", "performance", "perf(router): half the copies"),
        ("docs: a guide to performance", "performance", ""),
        ("fix: a thing", "performance", ""),
    ],
)
def test_a_line_of_the_message_is_evidence_unless_it_denies(message: str, topic: str, line: str) -> None:
    assert found(message, topic) == line


@pytest.mark.parametrize(
    ("topic", "field", "text", "line"),
    [
        ("security", "security", "No security impact.", ""),
        ("security", "security", "无安全影响", ""),
        ("security", "security", "不涉及认证与权限。", ""),
        (
            "security",
            "security",
            "Tidies up. Checks TLS now.",
            "Checks TLS now.",
        ),
        ("security", "security", "修复了鉴权绕过；不影响性能", "修复了鉴权绕过；"),
        ("security", "security", "Tidies up.", ""),
        ("performance", "performance", "Performance is unaffected.", ""),
        ("performance", "performance", "批处理使吞吐提升 20 %", "批处理使吞吐提升 20 %"),
        ("breaking", "risks", "Callers may break.", ""),
        ("breaking", "risks", "若未升级，可能不兼容", ""),
        (
            "breaking",
            "risks",
            "The flag `--old` is no longer supported.",
            "The flag `--old` is no longer supported.",
        ),
        ("breaking", "risks", "接口已移除", "接口已移除"),
        ("breaking", "summary", "Deprecates the old API.", "Deprecates the old API."),
        ("breaking", "advice", "Deprecates the old API.", ""),
    ],
)
def test_a_models_words_count_where_they_say_that_it_is_so(
    topic: str, field: str, text: str, line: str
) -> None:
    assert found("feat: a thing", topic, said={field: [text]}) == line


def test_what_was_found_without_a_model_counts_where_it_matters() -> None:
    gone = "Public names are gone from `a.py`: `x`"
    assert found("feat: x", "breaking", offline=True, said={"risks": [gone]}) == gone
    assert found("feat: x", "breaking", offline=True, said={"risks": ["2 files were not read: `a`"]}) == ""
    said = "`{}` says: `# deprecated: use y`"
    assert found("feat: x", "breaking", offline=True, said={"advice": [said.format("a.py")]}) != ""
    for path in ("tests/test_a.py", ".ai/guide.md"):
        assert found("feat: x", "breaking", offline=True, said={"advice": [said.format(path)]}) == ""
    assert found("feat: x", "security", offline=True, said={"security": ["`a.py`: `+ verify=False`"]}) != ""
    for path in ("tests/test_a.py", "examples/a.py", "docs/a.md"):
        assert (
            found("feat: x", "security", offline=True, said={"security": [f"`{path}`: `+ verify=False`"]})
            == ""
        )


def test_evidence_that_is_cut_closes_its_code() -> None:
    for line in (
        f"deprecated: ``a {'`b` ' * 99}``",
        f"`a` deprecated {'x' * 240} `b`",
        "deprecated " + "`a` " * 99,
    ):
        cut = found("feat: x", "breaking", offline=True, said={"risks": [line]})
        assert len(cut) <= 245
        assert cut.count("``") % 2 == 0
        assert cut.replace("``", "").count("`") % 2 == 0 or "``" in line


def test_a_commit_stands_in_a_part_once_the_important_ones_first_and_empty_parts_are_not_there() -> None:
    low = commit("a", "fix!: a\n\nBREAKING: b\nBREAKING: c", tier="low")
    high = commit("b", "feat!: d", score=20)

    [part] = parts_of([low, high])

    assert part.topic == "breaking"
    assert [mention.sha[0] for mention in part.mentions] == ["b", "a"]
    assert parts_of([commit("a")]) == ()


def test_what_bots_do_counts_for_security_alone_and_reformatting_for_nothing() -> None:
    message = "perf!: bump x, fixes CVE-2026-1"

    assert [part.topic for part in parts_of([commit("a", message, folded="bot")])] == ["security"]
    assert parts_of([commit("a", message, folded="reformat")]) == ()
