"""Every error that the project raises by design.

    DigestError                     exit code 1
    ├── UsageError                  exit code 2: the request itself cannot be served
    │   └── ConfigurationError      exit code 2: digest.toml or the environment
    ├── SourceError                 a repository cannot be read
    │   ├── SourceUnavailable       transient: the network, a limit; `retry_after` in seconds
    │   └── SourceRejected          terminal: no access, no such repository, branch or commit
    │       └── SourceDamaged       objects of it are missing or corrupt: it costs the days whose commits need them
    ├── DeliveryError               a page could not be brought to a channel; it is tried again, never fatal to a run
    │   ├── DeliveryUnavailable     transient: the network, a limit; `retry_after` in seconds
    │   └── DeliveryRejected        the service said no: somebody has to mend something first
    ├── AlarmError                  nobody could be told of an alarm; it is tried again, never fatal
    └── StoreError                  the history cannot be read or written
        ├── StoreBusy               transient: somebody else holds it too long
        ├── StoreUnavailable        transient: the database or the bucket of a shared store does not answer
        ├── StoreOutdated           an older version made it: the next writer brings it up to date
        ├── StoreLeft               it was carried elsewhere: the settings name the place that it left
        └── StoreDamaged            terminal: the catalog or a data file is not what it should be

A message is one line and says what to do next. No message holds a secret: where a cause may hold one, the
error is raised `from None`.
"""

from __future__ import annotations


class DigestError(Exception):
    """The base of all of them; `exit_code` is what the command line returns."""

    exit_code = 1


class UsageError(DigestError):
    """What was asked for cannot be served as it stands, and no retry changes that."""

    exit_code = 2


class ConfigurationError(UsageError):
    """A setting is missing or wrong; the message names file, key, what stands there and what is allowed."""


class SourceError(DigestError):
    """A repository could not be read. Never the same as a day without commits."""

    def __init__(self, message: str, *, repo: str | None = None) -> None:
        super().__init__(message)
        self.repo = repo


class SourceUnavailable(SourceError):  # noqa: N818 - the field says "unavailable"
    """The source may answer later; `retry_after` is in seconds where the source named a time."""

    def __init__(self, message: str, *, repo: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, repo=repo)
        self.retry_after = retry_after


class SourceRejected(SourceError):  # noqa: N818 - as above
    """The source answered, and the answer is no."""


class SourceDamaged(SourceRejected):
    """Objects of the repository are missing or corrupt."""


class DeliveryError(DigestError):
    """A page could not be delivered, or not everywhere; `remote` is the receipt of what was. It holds no address."""

    retry_after: float | None = None
    remote: str | None = None


class DeliveryUnavailable(DeliveryError):  # noqa: N818 - as above
    """The service may take it later; `retry_after` is in seconds where it named a time."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class DeliveryRejected(DeliveryError):  # noqa: N818 - as above
    """The service answered, and the answer is no."""


class AlarmError(DigestError):
    """A message about an alarm, or a heartbeat, could not be delivered; no address stands in it."""


class StoreError(DigestError):
    """The history could not be read or written."""


class StoreBusy(StoreError):  # noqa: N818 - as above
    """Another process held the store for longer than a writer waits."""


class StoreUnavailable(StoreError):  # noqa: N818 - as above
    """PostgreSQL or the object store of a shared history did not answer, for longer than was waited."""


class StoreOutdated(StoreError):  # noqa: N818 - as above
    """An older version made the history, and no writer of this one has opened it yet."""


class StoreLeft(StoreError):  # noqa: N818 - as above
    """The history was carried elsewhere, and the settings still name the place that it left."""


class StoreDamaged(StoreError):  # noqa: N818 - as above
    """The catalog or a data file is damaged; the message says which and how to go on."""
