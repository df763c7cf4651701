"""Schedules: yesterday's repos in the night, and the upkeep of the history."""

import dagster as dg

from digest_pipeline.domain.day import yesterday
from digest_pipeline.orchestration.jobs import REPO_DAYS, upkeep_job
from digest_pipeline.orchestration.partitions import range_tags
from digest_pipeline.settings import Settings


def build_schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    """`daily` asks for yesterday's day of all repos in one run; `daily_upkeep` follows an hour and a half later."""
    at = settings.daily_at
    repos = [repo.name for repo in settings.repos]

    @dg.schedule(
        name="daily",
        job_name=REPO_DAYS,
        cron_schedule=f"{at.minute} {at.hour} * * *",
        execution_timezone=settings.timezone.key,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Yesterday, all repos, in one run; the digest follows by the sensor stale_digests.",
    )
    def daily(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        day = yesterday(context.scheduled_execution_time, settings.timezone)
        if day < settings.first_day:
            return dg.SkipReason(f"{day} lies before first_day ({settings.first_day})")
        return dg.RunRequest(run_key=f"daily:{day}", tags=dict(range_tags(day, day, repos)))

    later = (at.hour * 60 + at.minute + 90) % (24 * 60)
    upkeep = dg.ScheduleDefinition(
        name="daily_upkeep",
        job=upkeep_job,
        cron_schedule=f"{later % 60} {later // 60} * * *",
        execution_timezone=settings.timezone.key,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Merges the history's small files, lets go of old patches, forgets what is older than a week.",
    )
    return [daily, upkeep]
