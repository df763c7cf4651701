"""Running `git`: its environment, its limits, and what its complaints mean. Nothing here parses history."""

from __future__ import annotations

import fcntl
import io
import os
import re
import subprocess
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from functools import cached_property
from typing import IO, TYPE_CHECKING
from urllib.parse import urlsplit

from digest_pipeline.errors import SourceDamaged, SourceError, SourceRejected, SourceUnavailable
from digest_pipeline.sources.network import ca_bundle
from digest_pipeline.sources.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

# Only what a git URL can be; `ext::` would run a command of the URL's choosing.
_PROTOCOLS = (
    "protocol.allow=never",
    *(f"protocol.{name}.allow=always" for name in ("https", "http", "ssh", "git", "file")),
)

_READING = (
    # The path to the repository is given, and no work tree: .gitattributes of a checkout then cannot turn a
    # text file into a binary one, and the same history gives the same records wherever it lies.
    "core.bare=true",
    "core.quotePath=false",
    f"core.attributesFile={os.devnull}",
    "diff.renameLimit=1000",
    "diff.suppressBlankEmpty=false",
    # 83 instead of 243 MB while 250 MB of patches stream by, for one second more.
    "core.packedGitWindowSize=4m",
    "core.packedGitLimit=32m",
    "core.deltaBaseCacheLimit=24m",
)

_FETCHING = (
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=60",
    "gc.autoDetach=false",
    "fetch.writeCommitGraph=false",
)

_REACHING = (
    "GIT_ASKPASS",
    "GIT_CONFIG_",
    "GIT_EXEC_PATH",
    "GIT_HTTP_",
    "GIT_PROXY_",
    "GIT_SSH",
    "GIT_SSL_",
    "GIT_TRACE",
)

_TOKEN_VARIABLE = "DIGEST_GIT_TOKEN"  # noqa: S105 - the name of a variable
_TOKEN_HELPER = (
    f'!f() {{ test "$1" = get && printf "username=x-access-token\npassword=%s\n" "${_TOKEN_VARIABLE}"; }}; f'
)
_NO_ACCESS = re.compile(
    r"(?i)authentication failed|could not read (username|password)|permission denied|access denied|"
    r"terminal prompts disabled|returned error: 40[13]|invalid username or (token|password)|publickey"
)
_NOT_THERE = re.compile(
    r"(?i)repository .*not found|does not appear to be a git repository|not a git repository|"
    r"returned error: 404|project you were looking for|no such file or directory|not found: did you run"
)
_UNREACHABLE = re.compile(
    r"(?i)could not resolve|failed to connect|connection (refused|reset|timed out|closed)|timed out|unreachable|"
    r"early eof|hung up|could not read from remote|ssl|tls|certificate|returned error: 5\d\d"
)
_DAMAGED = re.compile(
    r"(?i)unable to (?:read|parse|unpack) (?:tree |sha1 |object |commit )?[0-9a-f]{40}|could not read [0-9a-f]{40}|"
    r"bad (?:tree |object )|is corrupt|corrupt (?:loose|packed) object|inflate: |invalid object|hash mismatch"
)
_DUBIOUS = re.compile(r"(?i)dubious ownership")
_NO_SPACE = re.compile(r"(?i)no space left on device|disk quota exceeded")


PIPE_BYTES = 1 << 20
"""So much may wait in the pipe (Linux; elsewhere 64 KB)."""

SPOOL_BYTES = 32 << 20
"""So much may wait behind it, on the disk: half of what 1,000 commits of a busy repository change."""


class Git:
    """The `git` command on one repository, or (with `git_dir=None`) on none.

    `token` goes to `origin` alone, when it asks who is there: through git's credential protocol, from the
    child's environment, never into an argument list, a URL or a file.
    """

    def __init__(
        self,
        git_dir: Path | None,
        *,
        repo: str,
        origin: str | None = None,
        token: str | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._git_dir = git_dir
        self._repo = repo
        self._origin = origin
        self._token = token
        self._base = dict(os.environ if environ is None else environ)

    def run(
        self, *arguments: str, stdin: bytes | None = None, network: bool = False, timeout: float | None = None
    ) -> bytes:
        """Standard output of one command; raises SourceRejected or SourceUnavailable where it fails."""
        try:
            done = subprocess.run(
                self._command(arguments, network=network),
                input=stdin,
                stdin=subprocess.DEVNULL if stdin is None else None,
                capture_output=True,
                env=self._environment(network=network),
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise SourceUnavailable(
                f"{self._repo}: git {arguments[0]} gave no answer within {timeout:.0f} s; "
                "check the network and try again",
                repo=self._repo,
            ) from None
        except OSError as error:
            raise _cannot_start(self._repo, error) from None
        if done.returncode != 0:
            raise self._failure(_named(arguments), done.stderr)
        return done.stdout

    def succeeds(self, *arguments: str) -> bool:
        """Whether a command that only asks (no network) exits with 0."""
        try:
            self.run(*arguments)
        except SourceError:
            return False
        return True

    @contextmanager
    def stream(self, *arguments: str, lines: Iterable[str]) -> Iterator[IO[bytes]]:
        """Standard output of a command as it comes, fed with `lines`; raises as `run` does, at the end.

        While nobody reads, the command goes on for as much as a spool holds.
        """
        with ExitStack() as opened:
            try:
                stdin, stderr = (opened.enter_context(tempfile.TemporaryFile(buffering=0)) for _ in range(2))
                rest = memoryview("".join(f"{line}\n" for line in lines).encode())
                while rest:
                    rest = rest[stdin.write(rest) :]
                stdin.seek(0)
            except OSError as error:
                raise _no_scratch(self._repo, error) from None
            try:
                process = subprocess.Popen(
                    self._command(arguments, network=False),
                    stdin=stdin,
                    stdout=subprocess.PIPE,
                    stderr=stderr,
                    env=self._environment(network=False),
                )
            except OSError as error:
                raise _cannot_start(self._repo, error) from None
            assert process.stdout is not None  # noqa: S101 - PIPE was asked for
            opened.enter_context(process.stdout)
            opened.callback(_end, process)
            _widen(process.stdout)
            try:
                spool = Spool(process.stdout, SPOOL_BYTES)
            except OSError as error:
                raise _no_scratch(self._repo, error) from None
            output = opened.enter_context(io.BufferedReader(spool, PIPE_BYTES))
            opened.callback(_end, process)  # before the spool, which listens until then
            yield output
            while output.read(PIPE_BYTES):
                pass
            if process.wait() != 0:
                stderr.seek(0)
                raise self._failure(_named(arguments), stderr.read())

    def _command(self, arguments: tuple[str, ...], *, network: bool) -> list[str]:
        location = [] if self._git_dir is None else [f"--git-dir={self._git_dir}"]
        settings = [*_PROTOCOLS, *_FETCHING] if network else [*_PROTOCOLS, *_READING]
        return ["git", *location, *(part for setting in settings for part in ("-c", setting)), *arguments]

    def _environment(self, *, network: bool) -> dict[str, str]:
        # What a person's environment says of how to reach a remote counts; what it says of how a diff looks
        # would give the same history other records on another machine.
        environment = {
            name: value
            for name, value in self._base.items()
            if not name.startswith("GIT_") or name.startswith(_REACHING)
        }
        environment |= {
            "LC_ALL": "C",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_NO_LAZY_FETCH": "1",
        }
        if not network:
            return environment
        if "GIT_SSH" not in environment and not self._has_ssh_command:
            environment.setdefault("GIT_SSH_COMMAND", "ssh -o BatchMode=yes -o ConnectTimeout=30")
        bundle = ca_bundle(environment)
        if bundle is not None:
            environment.setdefault("GIT_SSL_CAINFO", bundle)
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
            # curl reads http_proxy in small letters only.
            if name in environment:
                environment.setdefault(name.lower(), environment[name])
        if self._token and self._origin and self._origin.startswith(("http://", "https://")):
            parts = urlsplit(self._origin)
            number = int(environment.get("GIT_CONFIG_COUNT", "0") or "0")
            helper = f"credential.{parts.scheme}://{parts.netloc}.helper"
            # git asks a helper by host, so that a redirect to another host gets nothing; a header set by
            # http.extraHeader would follow it there. The empty one takes the person's own helpers out.
            environment |= {
                "GIT_CONFIG_COUNT": str(number + 2),
                f"GIT_CONFIG_KEY_{number}": helper,
                f"GIT_CONFIG_VALUE_{number}": "",
                f"GIT_CONFIG_KEY_{number + 1}": helper,
                f"GIT_CONFIG_VALUE_{number + 1}": _TOKEN_HELPER,
                _TOKEN_VARIABLE: self._token,
            }
        return environment

    @cached_property
    def _has_ssh_command(self) -> bool:
        """Whether the person's git settings name an ssh of their own, which a variable would override."""
        asked = subprocess.run(
            ["git", "config", "--get", "core.sshCommand"], capture_output=True, check=False, env=self._base
        )
        return asked.returncode == 0

    def _failure(self, command: str, stderr: bytes) -> SourceError:  # noqa: PLR0911 - one for each kind of complaint
        text = stderr.decode("utf-8", "replace")
        if self._token:
            text = text.replace(self._token, "***")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        said = next(
            (line for line in lines if line.startswith(("fatal:", "error:", "remote:"))),
            lines[-1] if lines else "no reason given",
        )
        # A remote may say what steers a terminal.
        said = "".join(character if character.isprintable() else " " for character in said)
        where = self._origin or str(self._git_dir)
        if _NO_SPACE.search(text):
            return SourceUnavailable(
                f"{self._repo}: the disk is full; free some space and try again ({said})", repo=self._repo
            )
        if _DUBIOUS.search(text):
            return SourceRejected(
                f"{self._repo}: {where} belongs to another user; allow it with "
                f"`git config --global --add safe.directory {where}`",
                repo=self._repo,
            )
        if _NO_ACCESS.search(text):
            return SourceRejected(
                f"{self._repo}: no access to {where}; name a variable that holds a token with token_env, "
                f"or check its rights ({said})",
                repo=self._repo,
            )
        if _DAMAGED.search(text):
            return SourceDamaged(
                f"{self._repo}: {where} is damaged; `git fsck` there shows where ({said})", repo=self._repo
            )
        if _NOT_THERE.search(text):
            return SourceRejected(
                f"{self._repo}: there is no git repository at {where}; check url ({said})", repo=self._repo
            )
        if _UNREACHABLE.search(text):
            return SourceUnavailable(
                f"{self._repo}: {where} cannot be reached; check url and the network, then run again ({said})",
                repo=self._repo,
            )
        return SourceUnavailable(f"{self._repo}: git {command} failed at {where}: {said}", repo=self._repo)


def _named(arguments: Sequence[str]) -> str:
    """The git command among its arguments, behind options such as `-C folder`."""
    words = [
        word
        for number, word in enumerate(arguments)
        if number == 0 or arguments[number - 1] not in {"-C", "-c"}
    ]
    return next((word for word in words if not word.startswith("-")), "command")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def _widen(pipe: IO[bytes]) -> None:
    # A kernel may refuse (a user's pipes have a bound), and macOS has no such call: it is only slower then.
    with suppress(OSError, AttributeError):
        fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)


def _no_scratch(repo: str, error: OSError) -> SourceError:
    folder = tempfile.tempdir or os.environ.get("TMPDIR", "/tmp")  # noqa: S108 - where they lie unless told otherwise
    return SourceUnavailable(
        f"{repo}: the folder for temporary files, {folder}, cannot be written ({error.strerror or error}); "
        "free some space there, or name another one with TMPDIR",
        repo=repo,
    )


def _cannot_start(repo: str, error: OSError) -> SourceError:
    return SourceRejected(
        f"{repo}: the git command cannot be started ({error.strerror}); install git 2.37 or newer", repo=repo
    )
