"""How a request to GitHub's APIs is made: it outlasts limits and faults, and it keeps the token at home.

What the answers mean is not known here, except where they say that they are none. Sources read with it; what is
delivered to GitHub is written with it, through `compose`.
"""

from __future__ import annotations

import os
import re
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx
from pydantic import SecretStr, ValidationError

from digest_pipeline.domain.retry_after import SECONDS_OF_A_DAY, seconds_of
from digest_pipeline.errors import ConfigurationError, SourceRejected, SourceUnavailable
from digest_pipeline.sources.github_answers import Complaint
from digest_pipeline.sources.network import CA_VARIABLES, ca_bundle

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

API_VERSION = "2022-11-28"
MAX_HOPS = 5
MAX_WAIT_SECONDS = 900.0
"""What one request waits in all. The primary limit may ask for an hour: that is for the next run to wait."""
FAULT_WAITS_SECONDS = (1.0, 2.0, 4.0, 8.0)
WRITE_EVERY_SECONDS = 1.0
"""GitHub asks for so long between two requests that write."""
SECONDARY_WAIT_SECONDS = 60.0
"""GitHub's advice for a secondary limit that names no time: a minute, then longer each time."""

_TIMEOUT = httpx.Timeout(60.0, connect=15.0)
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_LIMIT_TEXT = re.compile(rb"(?i)rate limit|abuse detection")
_NO_DIFF = re.compile(rb"(?i)\bdiff is taking too long\b|\"field\": ?\"diff\"")


class GitHubApi:
    """A request, and an answer in the end: limits are waited out, faults tried again, redirects followed.

    The token goes to the origin (scheme, host, port) of `api_url` and to no other, whoever points there. A
    limit that one thread meets holds them all. Proxies and authorities are those of the environment.
    """

    def __init__(
        self,
        *,
        repo: str,
        api_url: str,
        token: str | None,
        sleep: Callable[[float], None],
        now: Callable[[], float],
        user_agent: str,
        max_wait_seconds: float = MAX_WAIT_SECONDS,
    ) -> None:
        self._repo = repo
        self._home = _origin(httpx.URL(api_url))
        self._token = SecretStr(_clean_token(token, repo)) if token and token.strip() else None
        self._sleep = sleep
        self._now = now
        self._max_wait = max_wait_seconds
        self._resume_at = 0.0
        self._write_at = 0.0
        self._client = httpx.Client(
            headers={
                "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": API_VERSION,
                "User-Agent": user_agent,
            },
            timeout=_TIMEOUT,
            verify=_authorities(os.environ),
            follow_redirects=False,
        )

    @property
    def has_token(self) -> bool:
        """Whether requests carry one."""
        return self._token is not None

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def get(self, url: str | httpx.URL, params: Mapping[str, str] | None = None) -> httpx.Response:
        """The answer, whatever its status, unless that is a redirect, a limit or a fault of the server's.

        Raises SourceUnavailable where one of these does not end.
        """
        return self.send("GET", httpx.URL(url).copy_merge_params(params or {}))

    def send(
        self, method: str, url: str | httpx.URL, body: object = None, *, accept: str | None = None
    ) -> httpx.Response:
        """The same for any method, with `body` as JSON where it is given, in another form than the usual one.

        What a second POST would make a second time is not sent again where the first may have arrived.
        """
        target = httpx.URL(url)
        for _ in range(MAX_HOPS + 1):
            headers = {"Accept": accept} if accept else None
            asked = httpx.Request(method, target, json=body, headers=headers)
            response = self._outlast(asked, writes=method != "GET")
            if response.status_code not in _REDIRECTS:
                return response
            target = self.resolve(response, response.headers.get("location", ""))
        raise self.unavailable(f"GitHub redirects more than {MAX_HOPS} times; check api_url and the name")

    def post(self, url: str, body: Mapping[str, object]) -> httpx.Response:
        """The answer to a question that is sent as JSON, as above; a redirect is not followed."""
        return self._outlast(httpx.Request("POST", url, json=body))

    def resolve(self, response: httpx.Response, reference: str) -> httpx.URL:
        """Where a redirect or a link points; raises SourceUnavailable where that is no web address."""
        try:
            target = response.url.join(reference)
        except httpx.InvalidURL:
            target = httpx.URL()
        if not reference or target.scheme not in {"http", "https"} or not target.host or target.userinfo:
            raise self.unavailable(f"GitHub points to {self.one_line(reference) or 'nowhere'}; check api_url")
        return target

    def is_home(self, url: httpx.URL) -> bool:
        """Whether `url` is of the API's own origin."""
        return _origin(url) == self._home

    def unavailable(self, problem: str, *, retry_after: float | None = None) -> SourceUnavailable:
        """The error for what a later try may get."""
        return SourceUnavailable(f"{self._repo}: {problem}", repo=self._repo, retry_after=retry_after)

    def rejected(self, problem: str) -> SourceRejected:
        """The error for what no later try will get."""
        return SourceRejected(f"{self._repo}: {problem}", repo=self._repo)

    def one_line(self, text: str) -> str:
        """Text from outside, fit for a message: short, one line, without the token."""
        if self._token is not None:
            text = text.replace(self._token.get_secret_value(), "***")
        return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:200]

    def said(self, response: httpx.Response) -> str:
        """GitHub's own words for an error, in brackets; empty where it has none."""
        try:
            words = self.one_line(Complaint.model_validate_json(response.content).message)
        except ValidationError:
            words = ""
        return f" ({words})" if words else ""

    def _outlast(self, asked: httpx.Request, *, writes: bool = False) -> httpx.Response:
        waited, limits, faults = 0.0, 0, 0
        while True:
            waited += self._hold(waited)
            named = None
            arrived = True
            try:
                response = self._ask(asked, writes=writes)
            except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
                # UnicodeError: a host's name that no resolver takes; InvalidURL: httpx looks at a redirect
                # even where it does not follow. The error's request holds the token: only its words are kept.
                problem = _fault(self.one_line(str(error)) or type(error).__name__)
                arrived = not isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.InvalidURL))
            else:
                limited = limit_wait(response, now=self._now(), earlier=limits)
                if limited is not None:
                    limits += 1
                    self._resume_at = max(self._resume_at, self._now() + limited)
                    continue
                if not response.is_server_error or says_no_diff(response):
                    return response
                problem = f"GitHub answers {response.status_code}{self.said(response)}; try again later"
                named = _retry_after(response, now=self._now())
            if faults == len(FAULT_WAITS_SECONDS) or (writes and arrived and asked.method == "POST"):
                raise self.unavailable(problem, retry_after=named)
            pause = max(FAULT_WAITS_SECONDS[faults], named or 0.0)
            if waited + pause > self._max_wait:
                raise self.unavailable(problem, retry_after=pause)
            faults += 1
            waited += pause
            self._sleep(pause)

    def _ask(self, asked: httpx.Request, *, writes: bool) -> httpx.Response:
        if writes:
            if (pause := self._write_at - self._now()) > 0:
                self._sleep(min(pause, WRITE_EVERY_SECONDS))
            self._write_at = self._now() + WRITE_EVERY_SECONDS
        return self._client.request(
            asked.method, asked.url, content=asked.content, headers=self._headers(asked)
        )

    def _hold(self, waited: float) -> float:
        """Wait until no limit holds, and tell how long; raises SourceUnavailable where that is too long."""
        pause = max(self._resume_at - self._now(), 0.0)
        if waited + pause > self._max_wait:
            more = (
                "" if self.has_token else "; a token (token_env) raises it from 60 to 5,000 requests an hour"
            )
            raise self.unavailable(
                f"GitHub's rate limit holds for another {pause:.0f} s, try again then{more}",
                retry_after=pause,
            )
        if pause:
            self._sleep(pause)
        return pause

    def _headers(self, asked: httpx.Request) -> dict[str, str]:
        headers = {"Content-Type": "application/json"} if asked.content else {}
        if "accept" in asked.headers:
            headers["Accept"] = asked.headers["accept"]
        if self._token is not None and self.is_home(asked.url):
            headers["Authorization"] = f"Bearer {self._token.get_secret_value()}"
        return headers


def limit_wait(response: httpx.Response, *, now: float, earlier: int) -> float | None:
    """How many seconds GitHub wants to be left alone; None where the answer is not about a limit.

    `earlier` counts the limits that this request has met before. Each raises the least wait, so that a clock
    ahead of GitHub's, or a `Retry-After: 0`, never makes a tight loop.
    """
    if response.status_code not in {httpx.codes.FORBIDDEN, httpx.codes.TOO_MANY_REQUESTS}:
        return None
    named = _retry_after(response, now=now)
    reset = response.headers.get("x-ratelimit-reset", "")
    if named is None and response.headers.get("x-ratelimit-remaining") == "0" and reset.isdecimal():
        named = min(float(reset) - now, SECONDS_OF_A_DAY)
    if named is not None:
        return max(named, 2.0**earlier)
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS or _LIMIT_TEXT.search(response.content):
        return SECONDARY_WAIT_SECONDS * 2.0**earlier
    return None


def says_no_diff(response: httpx.Response) -> bool:
    """Whether GitHub gave up on a diff that is too large for it, under whichever status it does so today."""
    return not response.is_success and _NO_DIFF.search(response.content) is not None


def _retry_after(response: httpx.Response, *, now: float) -> float | None:
    """The header in seconds, a day at most."""
    seconds = seconds_of(response.headers.get("retry-after"), now=datetime.fromtimestamp(now, UTC))
    return None if seconds is None else min(seconds, SECONDS_OF_A_DAY)


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _clean_token(token: str, repo: str) -> str:
    token = token.strip()
    if not (token.isascii() and token.isprintable() and " " not in token):
        # httpx would refuse it with an error that shows it.
        raise ConfigurationError(
            f"{repo}: the variable that token_env names holds no token: there are blanks, control or foreign "
            "characters in it; set it anew"
        )
    return token


def _authorities(environ: Mapping[str, str]) -> ssl.SSLContext | bool:
    bundle = ca_bundle(environ)
    if bundle is None:
        return True
    try:
        return ssl.create_default_context(cafile=bundle)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigurationError(
            f"{bundle} holds no certificates that can be read ({error.strerror or error}); correct whichever "
            f"of {', '.join(CA_VARIABLES)} names it"
        ) from None


def _fault(words: str) -> str:
    if "CERTIFICATE_VERIFY_FAILED" in words:
        return f"GitHub's certificate is not trusted; name your authorities' file in SSL_CERT_FILE ({words})"
    return f"GitHub cannot be reached; check the network, the proxy and api_url ({words})"
