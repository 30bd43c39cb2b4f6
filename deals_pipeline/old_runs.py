"""Deletes old runs and all that Dagster keeps of them. Loading this loads Dagster's storages: nothing else needs them.

`DagsterInstance.delete_run` forgets that the run materialized a partition, even if no later one did. On disk it leaves
the run's captured logs, the executions of its asset checks and, with SQLite, the file of its events, which is 130 KB at
the least. So runs that materialized something last are kept, and these are deleted here.
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

import dagster as dg
from dagster._core.storage.event_log import SqlEventLogStorage, SqliteEventLogStorage
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable

from deals_pipeline.config import Mode
from deals_pipeline.resources.token_bucket import MODE_TAG
from deals_pipeline.sensors.runs import ENDED

RUNS_MAX: Final = 2000
"""How many runs are deleted a day at most: several times those of a day. It takes about a minute."""


def remove_runs(instance: dg.DagsterInstance, mode: Mode, ended_before: datetime, runs_max: int = RUNS_MAX) -> int:
    """Delete our oldest runs that ended before a time, but for those that materialized something last.

    Ours are tagged with the mode since they took their lease; runs of others may share the instance.
    """
    old = dg.RunsFilter(statuses=list(ENDED), updated_before=ended_before, tags={MODE_TAG: mode.value})
    kept = frozenset(latest_runs(instance))
    removable = [run_id for run_id in reversed(instance.get_run_ids(old)) if run_id not in kept][:runs_max]
    for run_id in removable:
        instance.compute_log_manager.delete_logs(prefix=[run_id])
        _forget_checks(instance, run_id)
        instance.delete_run(run_id)
    return len(removable)


def latest_runs(instance: dg.DagsterInstance) -> Iterator[str]:
    """Yield the runs that hold the latest materialization of an asset or of a partition."""
    for key in instance.all_asset_keys():
        if event := instance.get_latest_materialization_event(key):
            yield event.run_id
        partitions = instance.event_log_storage.get_latest_storage_id_by_partition(
            key, dg.DagsterEventType.ASSET_MATERIALIZATION
        )
        if ids := list(partitions.values()):
            records = instance.fetch_materializations(dg.AssetRecordsFilter(key, storage_ids=ids), limit=len(ids))
            yield from (record.run_id for record in records.records)


def remove_orphaned_files(instance: dg.DagsterInstance) -> int:
    """Delete the files of events of runs that the instance does not know, where events are kept in a file for each."""
    storage = instance.event_log_storage
    if not isinstance(storage, SqliteEventLogStorage):
        return 0
    folder = Path(storage.path_for_shard("any")).parent
    files = list(folder.glob("*-*-*-*-*.db"))
    known = frozenset(instance.get_run_ids())  # after the files: a run is known before it has one
    orphaned = [file for file in files if file.stem not in known]
    for file in orphaned:
        for name in (file.name, f"{file.name}-wal", f"{file.name}-shm"):
            (folder / name).unlink(missing_ok=True)
    return len(orphaned)


def _forget_checks(instance: dg.DagsterInstance, run_id: str) -> None:
    checks, storage = AssetCheckExecutionsTable, instance.event_log_storage
    if isinstance(storage, SqlEventLogStorage):
        with storage.index_connection() as connection:
            connection.execute(checks.delete().where(checks.c.run_id == run_id))
