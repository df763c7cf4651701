"""What both of GitHub's channels ask, and what a refusal means. How requests are made is handed in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from digest_pipeline.errors import DeliveryRejected, DeliveryUnavailable, SourceError, SourceUnavailable

if TYPE_CHECKING:
    import httpx

_TOO_QUICK = "submitted too quickly"


class Api(Protocol):
    """Makes requests: it obeys limits, and keeps the token at home. See `sources/github_api.py`."""

    def send(
        self, method: str, url: str, body: object = None, *, accept: str | None = None
    ) -> httpx.Response:
        """The answer, whatever its status. Raises SourceUnavailable where there is none in the end."""
        ...

    def said(self, response: httpx.Response) -> str:
        """GitHub's own words for an error, in brackets."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...


class Hub:
    """One repository at GitHub, as something to write to."""

    def __init__(self, api: Api, *, api_url: str, repo: str) -> None:
        self.repo = repo
        self._api = api
        self._url = f"{api_url.rstrip('/')}/repos/{quote(repo)}"

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        within: frozenset[int] = frozenset(),
        accept: str | None = None,
    ) -> Any:  # noqa: ANN401 - JSON
        """What the answer holds; a status of `within` alone where it is one of these.

        Raises DeliveryUnavailable and DeliveryRejected.
        """
        try:
            response = self._api.send(method, f"{self._url}{path}", body, accept=accept)
        except SourceError as error:
            after = error.retry_after if isinstance(error, SourceUnavailable) else None
            raise DeliveryUnavailable(str(error), retry_after=after) from None
        if response.status_code in within:
            return response.status_code
        if not response.is_success:
            raise self._refused(method, response)
        if not response.content:
            return None
        try:
            return response.json()
        except ValueError:
            raise DeliveryUnavailable(
                f"{self.repo}: GitHub's answer to {method} {path.partition('?')[0]} is none; check api_url"
            ) from None

    def check(self, right: str) -> None:
        """Raise DeliveryError where the repository is not there, or the token may not write.

        GitHub says neither of a token with few rights whether it has this one: `right` is told where it says no.
        """
        about = self.ask("GET", "")
        rights = about.get("permissions") if isinstance(about, dict) else None
        if isinstance(rights, dict) and not (rights.get("push") or rights.get("triage")):
            raise DeliveryRejected(f"{self.repo}: the token may read it and not write; {right}")

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    def _refused(self, method: str, response: httpx.Response) -> DeliveryUnavailable | DeliveryRejected:
        said, status = self._api.said(response), response.status_code
        if _TOO_QUICK in response.text:
            return DeliveryUnavailable(
                f"{self.repo}: GitHub wants to be written to less often", retry_after=60
            )
        match status:
            case 401:
                problem = "GitHub does not accept the token; renew what the variable in token_env holds"
            case 403:
                problem = "the token may not do this; give it the rights to write contents or issues there"
            case 404:
                problem = "is not there, or the token may not write to it; check repo, branch, and the token's rights"
            case 410:
                problem = "has its issues switched off; switch them on in the repository's settings"
            case _ if response.is_client_error:
                problem = f"GitHub answers {status} to {method}; look at the repository there"
            case _:
                return DeliveryUnavailable(f"{self.repo}: GitHub answers {status}, which is no answer{said}")
        return DeliveryRejected(f"{self.repo}: {problem}{said}")
