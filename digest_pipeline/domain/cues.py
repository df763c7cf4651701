"""Words by which a line tells of something that readers look for first: what breaks, safety, speed."""

from __future__ import annotations

import re
from typing import Literal

Topic = Literal["breaking", "security", "performance"]
TOPICS: tuple[Topic, ...] = ("breaking", "security", "performance")

BREAKING = re.compile(
    r"^[a-z]+(?:\([^)]*\))?!:|\bBREAKING\b"
    r"|(?i:\bbreaking[ -]changes?\b|\bdeprecat|\bno longer (?:supported|available)|\bincompatib)"
    r"|破坏性|不兼容|不再支持|弃用|废弃"
)
SECURITY = re.compile(
    r"(?i)\bCVE-\d|\bGHSA-|\bvulnerab|\bsecurity\b|\binsecure\b"
    # Dependencies are injected too.
    r"|\b(?:sql|command|code|prompt|shell|header|script|template|log)[ -]injection\b"
    r"|漏洞|注入攻击|安全(?:问题|风险|修复|更新)"
)
PERFORMANCE = re.compile(
    r"(?i)\bperf(ormance)?\b|\blatency\b|\bthroughput\b|\boverhead\b|\bfaster\b|\bspeed(s|up|-up)?\b"
    r"|\bmemory (use|usage|footprint)\b|性能|延迟降低|吞吐|加速"
)

_PATTERNS: dict[Topic, re.Pattern[str]] = {
    "breaking": BREAKING,
    "security": SECURITY,
    "performance": PERFORMANCE,
}
# What a line denies, it does not tell of.
_DENIED = re.compile(
    r"(?i)\b(?:no|not|non|without|never|isn't|aren't|any|zero)\b[\s-]+(?:\w+[\s-]+){0,3}"
    r"(?:breaking|deprecat\w*|incompatib\w*|security|vulnerab\w*|perf(?:ormance)?|overhead|latency)\b"
    r"|(?:无|没有|未|不(?:会|涉及|含|引入|影响|改变|构成|存在))[^，。；,;]{0,8}"
    r"(?:破坏性|不兼容|弃用|废弃|漏洞|安全|性能)"
)
# A line that ticks a box of a form says what the form asks, not what the commit does.
_FORM = re.compile(r"^\s*(?:[-*+]\s*)?\[[ xX]?\]\s")
_TRAILER = re.compile(
    r"(?i)^(signed-off-by|co-authored-by|reviewed-by|acked-by|tested-by|cc|change-id)\b.*:"
    r"|^\(cherry picked from commit "
)
LONGEST_LINE = 240


def is_trailer(line: str) -> bool:
    """Whether a line of a message is one that tools and forges add."""
    return _TRAILER.match(line.strip()) is not None


def lines_about(text: str, topic: Topic) -> list[str]:
    """The lines of `text` that tell of `topic`, without list marks, each cut at `LONGEST_LINE` characters.

    A line that denies it, a trailer, and an item of a form's check list tell of nothing.
    """
    pattern = _PATTERNS[topic]
    found = []
    for raw in text.split("\n"):
        line = raw.strip().lstrip("-*+ ")
        if pattern.search(line) and not (is_trailer(raw) or _FORM.match(raw) or _only_denied(line, pattern)):
            found.append(line if len(line) <= LONGEST_LINE else line[: LONGEST_LINE - 3] + "…")
    return found


def _only_denied(line: str, pattern: re.Pattern[str]) -> bool:
    return pattern.search(_DENIED.sub("", line)) is None
