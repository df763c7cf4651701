"""Sensors: each reads what is stored, lets a pure function decide, and says why it asks or skips."""

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta

import dagster as dg

from digest_pipeline.domain.due import DigestState, contiguous, due_digests
from digest_pipeline.errors import StoreError
from digest_pipeline.orchestration.jobs import DIGESTS
from digest_pipeline.orchestration.partitions import RANGE_END, RANGE_START
from digest_pipeline.pipeline import utc_now
from digest_pipeline.settings import Settings
from digest_pipeline.store.history import has_history, read_once

MAX_REQUESTS = 10


def build_sensors(settings: Settings, *, now: Callable[[], datetime] = utc_now) -> list[dg.SensorDefinition]:
    """`stale_digests`: every digest whose pages changed since it was made."""

    @dg.sensor(
        name="stale_digests",
        job_name=DIGESTS,
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Asks for the digest of each day whose pages changed: when all repos are done, or "
            f"{settings.digest_deadline_hours:g} hours after the daily run with those that are there."
        ),
    )
    def stale_digests(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        del context
        try:
            if not has_history(settings.data_dir):
                return dg.SkipReason("there is no history yet; materialize a day first")
            rows = read_once(
                settings.data_dir,
                "pipeline/digest_states",
                {"first": settings.first_day, "last": now().date(), "language": settings.language},
            )
        except StoreError as error:
            # Could not read is not the same as nothing to do: the tick fails, and says why.
            raise dg.Failure(description=str(error), allow_retries=False) from error
        states = [
            DigestState(
                row["day"], row["window_end"], row["inputs"], row["made_from"], frozenset(row["done"])
            )
            for row in rows
        ]
        at = settings.daily_at
        deadline = timedelta(hours=at.hour + settings.digest_deadline_hours, minutes=at.minute)
        decision = due_digests(states, [repo.name for repo in settings.repos], now=now(), deadline=deadline)
        if not decision.due:
            waiting = ", ".join(f"{day} for {repo}" for day, repo in decision.waiting[:3])
            return dg.SkipReason(
                f"waiting: {waiting}" if waiting else f"all {len(states)} digests are up to date"
            )
        groups = contiguous(decision.due)
        return dg.SensorResult(run_requests=[_request(group) for group in groups[:MAX_REQUESTS]])

    return [stale_digests]


def _request(group: list[DigestState]) -> dg.RunRequest:
    first, last = group[0].day.isoformat(), group[-1].day.isoformat()
    # A run_key is spent for ever: it names the state that is asked for, so that the next state asks again.
    revision = hashlib.sha256("".join(state.inputs for state in group).encode()).hexdigest()[:12]
    run_key = f"digest:{first}:{last}:{revision}"
    if first == last:
        return dg.RunRequest(run_key=run_key, partition_key=first)
    return dg.RunRequest(run_key=run_key, tags={RANGE_START: first, RANGE_END: last})
