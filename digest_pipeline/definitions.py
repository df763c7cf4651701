"""The code location that Dagster loads: `dagster dev`, workspace.yaml and the daemons name this module."""

from digest_pipeline.orchestration.location import load_location

defs = load_location()
