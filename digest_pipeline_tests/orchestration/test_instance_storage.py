from __future__ import annotations

import json
import multiprocessing
import os
import re
import sqlite3
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml  # type: ignore[import-untyped]
from dagster._core.definitions.partitions.context import partition_loading_context
from dagster._core.events import AssetMaterializationPlannedData, DagsterEvent, StepMaterializationData
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log.base import EventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster_postgres import DagsterPostgresStorage

from digest_pipeline.errors import ConfigurationError, StoreBusy, StoreDamaged, StoreError
from digest_pipeline.orchestration import instance as instance_module
from digest_pipeline.orchestration import instance_storage
from digest_pipeline.orchestration.instance import open_instance, packaged_file, prepare_home
from digest_pipeline.orchestration.instance_storage import (
    BatchingSqliteEventLogStorage,
    BatchingSqliteStorage,
    InstanceStorage,
    ShardEngines,
    postgres_url,
)
from digest_pipeline_tests.fakes.postgres import PASSWORD
from digest_pipeline_tests.fakes.postgres import postgres_server as postgres_server
from digest_pipeline_tests.fakes.postgres import postgres_url as new_database
from digest_pipeline_tests.orchestration import range_run

RUN_ID = "11111111-2222-4333-8444-555555555555"
KEYS = range_run.PARTITIONS.get_partition_keys()
SECRET = "s3cret-word"

pytestmark = pytest.mark.filterwarnings(
    # Dagster itself: coroutines on 3.14, partitions that are still called a preview, sqlite's dates.
    "ignore::dagster._utils.warnings.BetaWarning",
    "ignore::dagster._utils.warnings.PreviewWarning",
    "ignore:.*utcfromtimestamp.*:DeprecationWarning",
)
