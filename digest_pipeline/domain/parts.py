"""The fixed parts of a day: what breaks or is deprecated, security, performance; each commit with its evidence.

Evidence is a line of the message, or one of the analysis. What denies it, and what only might be, is none.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from digest_pipeline.domain.cues import TOPICS, lines_about
from digest_pipeline.domain.files import role_of
from digest_pipeline.domain.filler import is_denial, is_nothing
from digest_pipeline.domain.importance import TIERS
from digest_pipeline.domain.page import Mention, Part

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from digest_pipeline.domain.analysis import Analysis
    from digest_pipeline.domain.cues import Topic
    from digest_pipeline.domain.page import CommitEntry

_LONGEST_EVIDENCE = 240
_SENTENCE = re.compile(r"(?<=[。！？；])|(?<=[.!?;])\s+")
# What a model writes where a field asks for an effect that the change does not have.
_DENIED = re.compile(
    r"(?i)\b(?:no(?! longer)|none|not|never|without|neutral|negligible|minimal|unaffected|unchanged)\b|n't\b"
    r"|无(?!论|法|效|权)|没有|尚未|不(?:会|涉及|含|引入|影响|改变|构成|存在|直接)|未(?:引入|涉及|影响|改变|新增|发现)"
)
_HEDGED = re.compile(
    r"(?i)\b(?:may|might|could|can|possibly|potential(?:ly)?|if|should|would|unless)\b|可能|或许|也许|潜在|如果|若|应"
)
_GONE = re.compile(
    r"(?i)^public names are gone\b|\b(?:is|are|was|were|has been|have been) (?:now )?(?:removed|renamed|gone)\b"
    r"|不再有这些公开名称|(?:已|被)(?:移除|删除|重命名|更名)"
)
_SAFETY = re.compile(
    r"(?i)\b(?:auth\w*|credential\w*|secrets?|TLS|SSL|certificat\w*|permission\w*|privileg\w*|sandbox\w*|sanitiz\w*"
    r"|XSS|SSRF|CSRF|RCE|RBAC|escap(?:e|es|ing)|untrusted|attack\w*|encrypt\w*|leak(?:s|ed|ing)? (?:tokens?|keys?))\b"
    r"|verify ?= ?False|shell ?= ?True|权限|认证|鉴权|授权|凭据|凭证|密钥|证书|越权|提权|沙箱|注入|泄露|加密|攻击"
)
_SPEED = re.compile(
    r"(?i)\b(?:faster|slower|quicker|cach(?:e|es|ed|ing)|copies|allocat\w+|batch(?:es|ed|ing)|concurren\w+|parallel\w*)\b"
    r"|\d ?(?:%|x|×|倍|ms|MB|GB)|更快|更慢|缓存|开销|内存|并发|并行|延迟|减少|降低|提升"
)
_PLACE = re.compile(r"^(`+) ?(?P<path>.+?) ?\1(?: says| 写道)?[:：]\s*(?P<line>.*)$", re.DOTALL)
_BESIDE = re.compile(r"(?:^|/)(?:benchmarks?|examples?|scripts?|tools?|hack)/")
_ABOUT_TALK = re.compile(r"^(?:docs?|test|tests|ci|style|build)\b(?:\([^)]*\))?!?:", re.IGNORECASE)


def parts_of(commits: Sequence[CommitEntry]) -> tuple[Part, ...]:
    """The parts that have something to say, each with its commits by tier and score, each of them once."""
    found = (Part(topic, tuple(_mentions(commits, topic))) for topic in TOPICS)
    return tuple(part for part in found if part.mentions)


def _mentions(commits: Sequence[CommitEntry], topic: Topic) -> Iterator[Mention]:
    ranked = sorted(commits, key=lambda commit: (TIERS.index(commit.tier), -commit.score))
    for commit in ranked:
        if commit.folded == "reformat" or (commit.folded == "bot" and topic != "security"):
            continue
        line = next(_evidence(commit, topic), None)
        if line is not None and not (topic == "performance" and _only_talks(commit)):
            yield Mention(commit.sha, line)


def _evidence(commit: CommitEntry, topic: Topic) -> Iterator[str]:
    """What puts a commit into a part, the best line first: what its author says of it, then what was found in it."""
    title, _, body = commit.message.strip().partition("\n")
    in_title = lines_about(title.strip(), topic)
    if topic == "performance" and not in_title and commit.tier == "low":
        return
    yield from lines_about(body, topic)
    yield from _analysed(commit, topic)
    yield from in_title


def _analysed(commit: CommitEntry, topic: Topic) -> Iterator[str]:
    analysis = commit.analysis
    if analysis is None:
        return
    if commit.is_offline:
        yield from (_cut(item) for item in _found(commit, analysis, topic))
    elif topic == "breaking":
        for item in analysis.risks:
            yield from _saying(item, topic, _GONE)
        for item in (*analysis.summary, *analysis.architecture):
            yield from _saying(item, topic, None)
    else:
        for item in getattr(analysis, topic):
            yield from _saying(item, topic, _SAFETY if topic == "security" else _SPEED)


def _found(commit: CommitEntry, analysis: Analysis, topic: Topic) -> Iterator[str]:
    """What the analyst without a model found: its fields of security and performance hold nothing else."""
    if topic == "breaking":
        # Of the medium tier they stand among the advice.
        for item in (*analysis.risks, *analysis.advice):
            place = _PLACE.match(item)
            # What a test or a guide for tools says of deprecation deprecates nothing.
            if place is not None and (role_of(place["path"]) == "test" or place["path"].startswith(".")):
                continue
            if lines_about(item, topic) or (commit.tier == "high" and _GONE.search(item)):
                yield item
        return
    for item in getattr(analysis, topic):
        place = _PLACE.match(item)
        role = role_of(place["path"]) if place is not None else "code"
        # A test or an example that trusts what it wrote, and prose in a schema, are no matter of security.
        if place is not None and _BESIDE.search(place["path"]):
            continue
        if role in {"code", "dependency"} or (
            role == "config" and re.search("[:=]", place["line"] if place else "")
        ):
            yield item


def _saying(item: str, topic: Topic, more: re.Pattern[str] | None) -> Iterator[str]:
    """A point's sentences that tell of a topic or match `more`, and neither deny it nor only think it possible."""
    if is_nothing(item) or is_denial(item):
        return
    for sentence in _SENTENCE.split(item):
        said = sentence.strip()
        if not said or _DENIED.search(said) or (topic == "breaking" and _HEDGED.search(said)):
            continue
        if lines_about(said, topic) or (more is not None and more.search(said)):
            yield _cut(said)


def _only_talks(commit: CommitEntry) -> bool:
    """Whether a commit changes nothing that runs: a guide to performance makes nothing faster."""
    roles = {role_of(path) for path in commit.paths}
    return bool(_ABOUT_TALK.match(commit.title)) or (bool(roles) and roles <= {"docs", "test"})


def _cut(text: str) -> str:
    """`text` on one line, no longer than evidence may be; code that is cut off is closed."""
    flat = " ".join(text.split())
    if len(flat) <= _LONGEST_EVIDENCE:
        return flat
    flat, fence = flat[: _LONGEST_EVIDENCE - 1].rstrip("`"), ""
    for run in re.findall("`+", flat):
        fence = "" if run == fence else fence or run
    return f"{flat}…{fence}"
