"""The heartbeat: an address that is called while all goes on, so that somebody outside notices when nothing does."""

from __future__ import annotations

import logging

import httpx

from digest_pipeline.errors import AlarmError

TIMEOUT_SECONDS = 10.0

# httpx logs every address that it asks.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


def beat(url: str) -> None:
    """Call the address. Raises AlarmError, in which it does not stand, where nobody answers well."""
    try:
        answer = httpx.get(url, timeout=TIMEOUT_SECONDS, follow_redirects=True)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise AlarmError(f"the heartbeat's address cannot be called: {type(error).__name__}") from None
    if not answer.is_success:
        raise AlarmError(f"the heartbeat's address answers with status {answer.status_code}")
