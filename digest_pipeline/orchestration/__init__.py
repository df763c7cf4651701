"""Everything that imports Dagster: the instance and its storage, assets, checks, schedules, sensors."""
