"""Who is a program that keeps house: dependency updates, labels, formatting. A list as data, and one rule.

An agent that writes the code that people ask it for is none of these: its commits are told in full.
"""

from __future__ import annotations

import re

_MARK = "[bot]"
_MACHINE = re.compile(r"[-_](?:ro)?bot$")

_BOTS = frozenset(
    {
        *("allcontributors", "deepsource-autofix", "dependabot", "dependabot-preview", "depfu"),
        *("github-actions", "greenkeeper", "imgbot", "mend-for-github-com", "mergify", "msftbot"),
        *("pre-commit-ci", "pyup.io bot", "release-please", "renovate", "renovate bot", "restyled-io"),
        *("scala-steward", "weblate", "whitesource-renovate"),
    }
)
"""Names, and accounts at GitHub, without `[bot]` and in small letters."""

_ADDRESSES = frozenset(
    {
        *("action@github.com", "actions@github.com", "bot@renovateapp.com", "support@dependabot.com"),
    }
)

_AGENTS = frozenset(
    {
        *("amazon-q-developer", "anthropic-claude", "chatgpt-codex-connector", "claude", "codex", "copilot"),
        *("copilot-swe-agent", "cursor", "cursoragent", "devin-ai-integration", "gemini-code-assist"),
        *("google-labs-jules", "openhands", "openhands-agent", "sweep-ai"),
    }
)

_ACCOUNT_NUMBER = re.compile(r"^\d+\+")


def is_bot(name: str, email: str) -> bool:
    """Whether an author is a bot, by name or account: one ends in `[bot]` or `-bot`, or is known as one.

    By a blank before it, `Bot` is a family's name as well.
    """
    name, email = name.strip().casefold(), email.strip().casefold()
    account = _ACCOUNT_NUMBER.sub("", email.partition("@")[0])
    called = (name, account)
    if any(one.removesuffix(_MARK) in _AGENTS for one in called):
        return False
    if any(one.endswith(_MARK) for one in called) or email in _ADDRESSES:
        return True
    # What stands before the `@` says who it is where the host gives an account its address, nowhere else.
    known = called if email.endswith("@users.noreply.github.com") else called[:1]
    return any(one in _BOTS or _MACHINE.search(one) for one in known)
