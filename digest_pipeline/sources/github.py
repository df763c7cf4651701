"""A repository's history through GitHub's REST API: github.com and GitHub Enterprise Server.

How requests are made is in `github_api`, what an answer means in `github_answers`: here stands which
questions are asked. Nothing is stored.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

import httpx
from pydantic import TypeAdapter, ValidationError

from digest_pipeline.domain.commit import Commit, CommitChanges, FileChange
from digest_pipeline.sources import Head
from digest_pipeline.sources.branches import as_one
from digest_pipeline.sources.github_answers import (
    BRANCH,
    BRANCHES,
    COMMITS,
    CONTENTS,
    DETAIL,
    NO_TREE,
    PULL_REQUESTS,
    REPOSITORY,
    TREE,
    CommitDetail,
    File,
    Tree,
    commit_of,
    file_change,
    git_order,
    needs_trees,
    pull_requests_of,
    pull_requests_query,
    text_of,
    tree_of,
)
from digest_pipeline.sources.github_api import GitHubApi, says_no_diff

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence

    from digest_pipeline.domain.commit import PullRequest
    from digest_pipeline.domain.day import Window
    from digest_pipeline.domain.globs import Globs
    from digest_pipeline.errors import SourceRejected, SourceUnavailable

COMMITS_PER_PAGE = 100
PULL_REQUESTS_AT_ONCE = 50
"""In one question; each has a text of up to 64 kB."""
FILES_PER_PAGE = 50
"""On larger pages of files GitHub leaves patches out."""
MAX_FILES = 3000
"""GitHub lists no more files of a commit than that, and does not say so."""
MAX_PAGES = 1000
IN_FLIGHT = 8
"""GitHub allows 100 requests at once and asks for far fewer."""
TREES_KEPT = 4
"""A tree may have 100,000 entries, some 20 MB; neighbouring commits share one."""

_EMPTY_REPOSITORY = "repository is empty"
_T = TypeVar("_T")


class GitHubSource:
    """`Source` over the REST API: one request for a hundred commits, one or more for each commit's files.

    `repo` is what errors call it, `owner_and_name` what GitHub does; without `branch` it is the default one, and
    `branches` are read beside it. Pull requests are asked of the GraphQL API, which wants a token.
    `sleep` and `now` (seconds since 1970) are the clock by which limits are waited out. Raises
    ConfigurationError where the token or the environment's certificates cannot be used.
    """

    def __init__(
        self,
        *,
        repo: str,
        owner_and_name: str,
        api_url: str = "https://api.github.com",
        branch: str | None = None,
        token: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.time,
        user_agent: str = "digest-pipeline",
        branches: Globs | None = None,
    ) -> None:
        self._name = owner_and_name
        self._branch = branch
        self._branches = branches
        self._graphql = f"{api_url.rstrip('/').removesuffix('/v3')}/graphql"
        self._url = f"{api_url.rstrip('/')}/repos/{quote(owner_and_name)}"
        self._api = GitHubApi(
            repo=repo, api_url=api_url, token=token, sleep=sleep, now=now, user_agent=user_agent
        )
        self._trees: OrderedDict[str, Tree] = OrderedDict()
        self._trees_lock = Lock()

    def __repr__(self) -> str:
        return f"GitHubSource({self._url!r}, branch={self._branch!r})"

    def probe(self) -> Head:
        """See `Source.probe`; nothing is ever brought here."""
        return self.refresh()

    def refresh(self) -> Head:
        """Where the branch stands now; see `Source.refresh`."""
        response = self._api.get(self._url)
        about = self._read(response, REPOSITORY, missing=self._no_repository())
        if self._api.is_home(response.url):
            # Of a repository that was renamed, every further question would be redirected again.
            self._url = str(response.url.copy_with(query=None)).rstrip("/")
        branch = self._branch or about.default_branch
        response = self._api.get(f"{self._url}/branches/{quote(branch, safe='')}")
        if response.status_code == httpx.codes.NOT_FOUND:
            raise self._no_branch(branch)
        return Head(branch, self._read(response, BRANCH).commit.sha, self._others(branch))

    def _others(self, tracked: str) -> tuple[tuple[str, str], ...]:
        """The branches beside `tracked`, by name."""
        if self._branches is None:
            return ()
        pages = self._pages(f"{self._url}/branches", {"per_page": str(COMMITS_PER_PAGE)})
        found = {one.name: one.commit.sha for page in pages for one in self._read(page, BRANCHES)}
        admits = self._branches.admits
        return tuple((name, found[name]) for name in sorted(found) if name != tracked and admits(name))

    def commits(self, head: Head, window: Window) -> list[Commit]:
        """See `Source.commits`. The heads pin the pages: a push in between moves nothing."""
        others = ((name, self._listed(sha, window)) for name, sha in head.others)
        return as_one(self._listed(head.sha, window), others)

    def _listed(self, sha: str, window: Window) -> list[Commit]:
        # Whole seconds, and at GitHub both bounds are inclusive: the exact rule is applied to what it sends.
        margin = timedelta(seconds=1)
        params = {
            "sha": sha,
            "since": _stamp(window.start - margin),
            "until": _stamp(window.end + margin),
            "per_page": str(COMMITS_PER_PAGE),
        }
        missing = f"GitHub does not know commit {sha}; refresh the source and try again"
        pages = (
            self._read(page, COMMITS, missing=missing) for page in self._pages(f"{self._url}/commits", params)
        )
        commits = (commit_of(listed) for page in pages for listed in page)
        return [commit for commit in commits if commit.committed_at in window]

    def changes(self, shas: Sequence[str]) -> Generator[CommitChanges, None, None]:
        """See `Source.changes`. A few commits are read ahead and no more, so that memory stays bounded."""
        rest = iter(shas)
        ahead: deque[Future[CommitChanges]] = deque()
        with ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="github") as pool:
            try:
                ahead.extend(pool.submit(self._changes_of, sha) for sha in islice(rest, IN_FLIGHT))
                while ahead:
                    changes = ahead.popleft().result()
                    ahead.extend(pool.submit(self._changes_of, sha) for sha in islice(rest, 1))
                    yield changes
            finally:
                for future in ahead:
                    future.cancel()

    def read_ahead(self, shas: Sequence[str]) -> None:
        """See `Source.read_ahead`. Each request counts against a limit, and may not be needed."""

    def read(self, head: Head, path: str) -> str | None:
        """See `Source.read`."""
        response = self._api.get(f"{self._url}/contents/{quote(path)}", {"ref": head.sha})
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        # A folder is a list, and no file.
        return None if response.content.lstrip()[:1] == b"[" else text_of(self._read(response, CONTENTS))

    def arrived(self, head: Head, base: str) -> tuple[()]:
        """See `Source.arrived`. Nothing: a hundred commits are a question, and a busy repository has them in a day."""
        del head, base
        return ()

    def firsts(self, head: Head) -> None:
        """See `Source.firsts`. Nobody can tell: the API would have to be asked for every page of the history."""

    def pull_requests(self, numbers: Collection[int]) -> Mapping[int, PullRequest | None] | None:
        """See `Source.pull_requests`; None without a token, for GraphQL answers nobody who has none."""
        if not self._api.has_token:
            return None
        owner, _, name = self._name.partition("/")
        wanted = sorted(set(numbers))
        found: dict[int, PullRequest | None] = {}
        for start in range(0, len(wanted), PULL_REQUESTS_AT_ONCE):
            query = pull_requests_query(wanted[start : start + PULL_REQUESTS_AT_ONCE])
            body = {"query": query, "variables": {"owner": owner, "name": name}}
            answer = self._read(self._api.post(self._graphql, body), PULL_REQUESTS)
            said = pull_requests_of(answer)
            if said is None:
                words = "; ".join(self._api.one_line(error.message) for error in answer.errors[:3])
                raise self._api.unavailable(
                    f"GitHub does not tell of pull requests ({words or 'no reason given'})"
                )
            found |= said
        return found

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    # --- what changed -------------------------------------------------------------------------------------

    def _changes_of(self, sha: str) -> CommitChanges:
        missing = (
            f"GitHub does not know commit {sha}; a forced push may have removed it: refresh and try again"
        )
        files: list[File] = []
        detail: CommitDetail | None = None
        for page in self._pages(f"{self._url}/commits/{quote(sha)}", {"per_page": str(FILES_PER_PAGE)}):
            if says_no_diff(page):
                # One commit that is too large for GitHub is no reason to lose its whole day.
                return CommitChanges(sha, self._records(detail, files), complete=False)
            detail = self._read(page, DETAIL, missing=missing)
            if detail.sha != sha:
                raise self._api.unavailable(f"GitHub answers with {detail.sha} for {sha}; try again later")
            files.extend(detail.files)
            if len(files) >= MAX_FILES:
                return CommitChanges(sha, self._records(detail, files), complete=False)
        records = self._records(detail, files)
        if detail is not None and not _adds_up(detail, files):
            return CommitChanges(sha, tuple(map(_doubted, records)), complete=False)
        return CommitChanges(sha, records)

    def _records(self, detail: CommitDetail | None, files: Sequence[File]) -> tuple[FileChange, ...]:
        """The records in git's order; trees are asked for only where an entry does not tell what it is."""
        before = after = NO_TREE
        if detail is not None and any(map(needs_trees, files)):
            after = self._tree(detail.sha)
            before = self._tree(detail.parents[0].sha) if detail.parents else NO_TREE
        return tuple(file_change(file, before, after) for file in sorted(files, key=git_order))

    def _tree(self, sha: str) -> Tree:
        # One at a time: neighbours ask for the same tree, and each of them is large.
        with self._trees_lock:
            if sha not in self._trees:
                response = self._api.get(f"{self._url}/git/trees/{quote(sha)}", {"recursive": "1"})
                missing = f"GitHub does not know the tree of commit {sha}; refresh the source and try again"
                self._trees[sha] = tree_of(self._read(response, TREE, missing=missing))
            self._trees.move_to_end(sha)
            if len(self._trees) > TREES_KEPT:
                self._trees.popitem(last=False)
            return self._trees[sha]

    # --- reading answers ----------------------------------------------------------------------------------

    def _pages(self, url: str, params: Mapping[str, str]) -> Iterator[httpx.Response]:
        response = self._api.get(url, params)
        for _ in range(MAX_PAGES):
            yield response
            following = response.links.get("next", {}).get("url")
            if following is None:
                return
            target = self._api.resolve(response, following)
            if not self._api.is_home(target):
                other = self._api.one_line(target.host)
                raise self._api.unavailable(f"the next page is said to be at {other}; check api_url")
            response = self._api.get(target)
        raise self._api.unavailable(
            f"GitHub's list does not end within {MAX_PAGES} pages; ask for fewer days"
        )

    def _read(self, response: httpx.Response, form: TypeAdapter[_T], *, missing: str = "") -> _T:
        """The answer's content; `missing` is the message for 404, and for 422, its other name at GitHub."""
        if not response.is_success:
            raise self._refused(response, missing)
        try:
            return form.validate_json(response.content)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            detail = ": ".join(filter(None, (".".join(map(str, first["loc"])), first["msg"])))
            asked = self._api.one_line(response.url.path)
            raise self._api.unavailable(
                f"the answer to {asked} is not in GitHub's form; check api_url and try again "
                f"({self._api.one_line(detail)})"
            ) from None

    def _refused(self, response: httpx.Response, missing: str) -> SourceRejected | SourceUnavailable:
        said = self._api.said(response)
        match response.status_code:
            case 401 if self._api.has_token:
                problem = "GitHub does not accept the token; renew what the variable in token_env holds"
            case 401:
                problem = "GitHub wants a token; name the variable that holds one with token_env"
            case 403:
                problem = (
                    f"GitHub does not show {self._name}; name a variable with token_env whose token may read "
                    "its contents"
                )
            case 409 if _EMPTY_REPOSITORY in said.casefold():
                return self._empty()
            case 404 | 422 if missing:
                problem = missing
            case status if response.is_client_error:
                problem = f"GitHub answers {status} for {self._name}; look at the repository there"
            case status:
                return self._api.unavailable(f"GitHub answers {status}, which is no answer; check api_url")
        return self._api.rejected(problem + said)

    def _no_repository(self) -> str:
        remedy = (
            "check the name, and that the token in token_env may read it"
            if self._api.has_token
            else "check the name, or name a variable with token_env whose token may read it"
        )
        return f"{self._name} does not exist at GitHub, or is private: {remedy}"

    def _no_branch(self, branch: str) -> SourceRejected:
        # An empty repository has no branch at all, not even the one that it calls its default.
        probe = self._api.get(f"{self._url}/commits", {"per_page": "1"})
        if probe.status_code == httpx.codes.CONFLICT:
            return self._empty()
        return self._api.rejected(f'{self._name} has no branch "{branch}"; set branch to one that exists')

    def _empty(self) -> SourceRejected:
        return self._api.rejected(f"{self._name} is empty; push a first commit, or check the name")


def _adds_up(detail: CommitDetail, files: Sequence[File]) -> bool:
    if detail.stats is None:
        return True
    listed = sum(file.additions for file in files), sum(file.deletions for file in files)
    return listed == (detail.stats.additions, detail.stats.deletions)


def _doubted(record: FileChange) -> FileChange:
    """A file without lines in a commit that has more lines than its files: it may be no binary at all."""
    if record.patch_state != "binary":
        return record
    return replace(record, additions=None, deletions=None, patch_state="incomplete")


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
