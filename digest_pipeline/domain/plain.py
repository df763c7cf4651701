"""Text from outside in a message: one line in which nothing is hidden and nothing acts."""

from __future__ import annotations

import re
import unicodedata

# Where they stand for themselves they look the same to a reader; to a messenger, @channel, <!here> and
# <at user_id="all"> are no mentions any more, and <https://…|text> is no link.
_BROKEN = str.maketrans({"@": "＠", "<": "‹", ">": "›"})
# What chats make links and blocks of by themselves; an address can still be read.
_LINKING = re.compile(r"(?i)(?<=http)://|(?<=https)://|(?<=ftp)://|(?<=\bwww)\.|\](?=\()|```")
_HARMLESS = {"://": "：//", ".": "．", "]": "] ", "```": "'''"}
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


def plain(text: str) -> str:
    """`text` on one line, without what cannot be seen, its mentions and links broken."""
    # Line breaks are controls too: they become blanks first.
    line = " ".join(text.split())
    line = "".join(character for character in line if unicodedata.category(character) not in _HIDDEN)
    return " ".join(line.split()).translate(_BROKEN)


def inert(text: str) -> str:
    """`plain`, in which no address and no pair of brackets becomes a link, in whatever chat it is shown."""
    return _LINKING.sub(lambda found: _HARMLESS[found[0]], plain(text))
