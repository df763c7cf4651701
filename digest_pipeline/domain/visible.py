"""What of a text can be seen: its lines, without characters that make it look like what it is not."""

from __future__ import annotations

import re

# Bidirectional controls, zero-width and tag characters can make text look like what it is not. The joiners
# U+200C and U+200D stay: scripts and emoji need them.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_BREAKS = re.compile("\r\n|[\r\n\x85\u2028\u2029]")


def visible(text: str) -> str:
    """`text` without characters that cannot be seen; tabs stay."""
    return _INVISIBLE.sub("", text)


def lines(text: str) -> list[str]:
    """The lines of `text`, at every character that Markdown or a browser takes for a line break."""
    return _BREAKS.split(text)
