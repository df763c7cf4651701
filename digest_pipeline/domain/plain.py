"""Text from outside in a message: one line in which nothing is hidden and nothing acts."""

from __future__ import annotations

import re
import unicodedata

# Where they stand for themselves they look the same to a reader; to a messenger, @channel, <!here> and
# <at user_id="all"> are no mentions any more, and <https://…|text> is no link.
_BROKEN = str.maketrans({"@": "＠", "<": "‹", ">": "›"})
# What chats make links and blocks of by themselves; an address can still be read.
_LINKING = re.compile(
    r"(?i)(?<=http)://|(?<=https)://|(?<=ftp)://|(?<=\bmailto):|(?<=\btel):|(?<=\bwww)\.|\](?=\()|```"
    # A bare name of a host: evil.com, t.me/x. No invisible joiner: a browser leaves it out of the name again.
    r"|(?<=\w)\.(?=(?P<ending>[^\W\d_]{2,})(?!\w)(?P<is_address>(?::\d+)?(?:/|[?#]\w))?)"
)
_HARMLESS = {"://": "：//", ":": "：", ".": "．", "]": "] ", "```": "'''"}
_FILE = re.compile(
    r"(?i)bash|c|cc|cfg|conf|cpp|cs|css|csv|cuh?|go|gz|h|hpp|html|ini|ipynb|java|jsx?|json|kt|lock|log|lua|mdx?|mk|mjs|"
    r"patch|php|proto|pyi?|rb|rs|rst|sh|sql|svg|swift|tar|tf|toml|tsx?|txt|vue|xml|yaml|yml"
)
"""What ends the name of a file more often than that of a host; with a path behind it, it is a host all the same."""
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


def plain(text: str) -> str:
    """`text` on one line, without what cannot be seen, its mentions and links broken."""
    # Line breaks are controls too: they become blanks first.
    line = " ".join(text.split())
    line = "".join(character for character in line if unicodedata.category(character) not in _HIDDEN)
    return " ".join(line.split()).translate(_BROKEN)


def inert(text: str) -> str:
    """`plain`, in which no address and no pair of brackets becomes a link, in whatever chat it is shown."""
    return _LINKING.sub(_broken, plain(text))


def _broken(found: re.Match[str]) -> str:
    ending = found["ending"]
    is_file = ending is not None and _FILE.fullmatch(ending) is not None and found["is_address"] is None
    return found[0] if is_file else _HARMLESS[found[0]]
