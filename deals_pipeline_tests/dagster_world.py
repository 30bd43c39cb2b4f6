"""A whole pipeline in one process and in virtual time: our definitions, a Dagster instance, the simulated Keepa."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import requests
from dagster._core.execution.build_resources import build_resources
from dagster._core.remote_origin import (
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from deals_pipeline.clock import VirtualClock
from deals_pipeline.config import Settings, load_settings
from deals_pipeline.definitions import make_definitions
from deals_pipeline.keepa.client import KEEPA_URL
from deals_pipeline.keepa.time import to_unix_ms
from deals_pipeline.resources.keepa import Connect
from deals_pipeline.resources.token_bucket import TokenBucketResource
from deals_pipeline.simulator.account import AccountConfig, advance
from deals_pipeline.simulator.endpoints import Endpoints
from deals_pipeline.simulator.faults import Faults
from deals_pipeline.simulator.server import KeepaServer
from deals_pipeline.simulator.store import MemoryStore
from deals_pipeline.simulator.transport import SimulatorAdapter
from deals_pipeline.token_bucket.status import BucketStatus

ROOT = Path(__file__).parents[1]
START = datetime.fromisoformat("2026-03-01T12:00:00+00:00")


@dataclass
class DagsterWorld:
    settings: Settings
    clock: VirtualClock
    server: KeepaServer
    connect: Connect
    definitions: dg.Definitions
    instance: dg.DagsterInstance
    runs: list[str] = field(default_factory=list)

    def with_settings(self, settings: Settings) -> "DagsterWorld":
        """Return the same world after a change of the settings."""
        return replace(self, settings=settings, definitions=make_definitions(settings, self.clock, self.connect))

    def execute(
        self,
        job: str,
        config: Mapping[str, Any] | None = None,
        *,
        assets: Sequence[str] = (),
        partition: str | None = None,
        tags: Mapping[str, str] | None = None,
        raise_on_error: bool = True,
    ) -> dg.ExecuteInProcessResult:
        """Execute a job, or only some of its assets and then without their checks."""
        definition = self.definitions.resolve_job_def(job)
        if assets:
            keys = {dg.AssetKey(asset) for asset in assets}
            definition = definition.get_subset(asset_selection=keys, asset_check_selection=set())
        result = definition.execute_in_process(
            run_config=dict(config or {}),
            partition_key=partition,
            tags=dict(tags or {}),
            instance=self.instance,
            raise_on_error=raise_on_error,
        )
        self.runs.append(result.run_id)
        return result

    def queue(self, job: str, assets: Collection[str] = ()) -> str:
        """Put a run into the queue, where it stays, and return its id."""
        target = LoadableTargetOrigin(module_name="deals_pipeline.definitions")
        location = ManagedGrpcPythonEnvCodeLocationOrigin(target, location_name="deals_pipeline.definitions")
        run = self.instance.create_run_for_job(
            self.definitions.resolve_job_def(job),
            status=dg.DagsterRunStatus.QUEUED,
            asset_selection=frozenset(dg.AssetKey(asset) for asset in assets) or None,
            remote_job_origin=RemoteJobOrigin(RemoteRepositoryOrigin(location, "__repository__"), job),
        )
        return run.run_id

    def metadata(self, result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
        """Return the metadata of an asset's materialization in a run, or of its observation."""
        found: dict[str, Any] = {}
        for event in result.all_events:
            if event.asset_key == dg.AssetKey(asset):
                if event.is_step_materialization:
                    found = dict(event.step_materialization_data.materialization.metadata)
                elif event.is_asset_observation:
                    found = dict(event.asset_observation_data.asset_observation.metadata)
        return {name: value.value for name, value in found.items()}

    def sensor(self, name: str) -> dg.SensorResult | dg.SkipReason:
        """Evaluate a sensor now; the partitions that it asks for are made and deleted."""
        sensor = self.definitions.resolve_sensor_def(name)
        with dg.build_sensor_context(
            self.instance, sensor_name=name, resources=self._resources, definitions=self.definitions
        ) as context:
            result = sensor(context)
        for request in getattr(result, "dynamic_partitions_requests", None) or ():
            if isinstance(request, dg.AddDynamicPartitionsRequest):
                self.instance.add_dynamic_partitions(request.partitions_def_name, request.partition_keys)
            else:
                for key in request.partition_keys:
                    self.instance.delete_dynamic_partition(request.partitions_def_name, key)
        assert isinstance(result, dg.SensorResult | dg.SkipReason)
        return result

    def schedule(self) -> dg.RunRequest | dg.SkipReason:
        """Evaluate the schedule now."""
        schedule = self.definitions.resolve_schedule_def("recent_deals_schedule")
        with dg.build_schedule_context(self.instance, self.clock.now(), resources=self._resources) as context:
            result = schedule(context)
        assert isinstance(result, dg.RunRequest | dg.SkipReason)
        return result

    def obey(self, request: dg.RunRequest, *, raise_on_error: bool = True) -> dg.ExecuteInProcessResult:
        """Execute what a sensor or the schedule asks for, of it the asset that spends."""
        job = request.job_name or "recent_deals_job"
        return self.execute(
            job,
            request.run_config,
            assets=list(request.run_config["ops"]),
            partition=request.partition_key,
            tags=request.tags,
            raise_on_error=raise_on_error,
        )

    def status(self) -> BucketStatus:
        with build_resources({"token_bucket": self._resources["token_bucket"]}, self.instance) as resources:
            bucket: TokenBucketResource = resources.token_bucket
            return bucket.status(timedelta(days=10))

    @property
    def _resources(self) -> dict[str, Any]:
        return dict(self.definitions.resources or {})

    def pass_time(self, **duration: float) -> None:
        self.clock.sleep(timedelta(**duration).total_seconds())

    @property
    def balance(self) -> int:
        with self.server.store.transaction() as transaction:
            return advance(self.server.store.config, transaction.account, to_unix_ms(self.clock.now())).balance

    @property
    def spent(self) -> int:
        """What the server has ever deducted for our requests."""
        with self.server.store.transaction() as transaction:
            return transaction.account.spent

    def spend_elsewhere(self, tokens: int) -> None:
        """Let another program on the same key spend."""
        with self.server.store.transaction() as transaction:
            account = advance(self.server.store.config, transaction.account, to_unix_ms(self.clock.now()))
            transaction.account = replace(
                account, balance=account.balance - tokens, foreign_spent=account.foreign_spent + tokens
            )

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(self.settings.places.warehouse) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            return connection.sql(query).fetchall()


def make_world(
    home: Path,
    instance: dg.DagsterInstance,
    *,
    seed: int = 1,
    products: int = 20_000,
    refill_rate: int = 5,
    tokens: int | None = None,
    faults: Faults | None = None,
    endpoints: Endpoints | None = None,
    toml: Path = ROOT / "deals.toml",
    start: datetime = START,
) -> DagsterWorld:
    """Return a pipeline with an empty home on a service that was never used."""
    settings = load_settings({"DEALS_HOME": str(home), "DEALS_CONFIG": str(toml)}, home)
    clock = VirtualClock(start)
    faults = faults or Faults()
    account = AccountConfig(
        seed=seed,
        refill_rate=refill_rate,
        started_at=to_unix_ms(start),
        tokens=tokens,
        foreign_spend=faults.foreign_spend(start, start + timedelta(days=10), refill_rate),
    )
    server = KeepaServer(endpoints or Endpoints(seed, products), MemoryStore(account), faults)

    def connect() -> requests.Session:
        session = requests.Session()
        session.mount(KEEPA_URL, SimulatorAdapter(server, clock))
        return session

    definitions = make_definitions(settings, clock, connect)
    return DagsterWorld(settings, clock, server, connect, definitions, instance)
