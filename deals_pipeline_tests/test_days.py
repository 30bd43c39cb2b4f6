"""Days of virtual time at 5 tokens a minute: the real assets, schedule and sensors, faults, crashes, foreign spend.

`VIRTUAL_HOURS=48 SEED=7 pytest deals_pipeline_tests/test_days.py` explores another world; `make days` runs two days.
"""

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

import dagster as dg
import pytest

from deals_pipeline.buying import buyer
from deals_pipeline.config import Intervals
from deals_pipeline.keepa.client import KeepaClient
from deals_pipeline.landing import Landing, landed_files
from deals_pipeline.sensors import planning
from deals_pipeline.sensors.runs import UNIT_TAG
from deals_pipeline.simulator.faults import Fault, Faults
from deals_pipeline.token_bucket.reservation import Reservation
from deals_pipeline_tests.dagster_world import DagsterWorld

HOURS: Final = float(os.environ.get("VIRTUAL_HOURS") or 3)
FULL_SCAN_MINUTES: Final = min(Intervals().full_scan_minutes, round(HOURS * 60 / 4))
"""A short time has several cycles too."""
SEED: Final = int(os.environ.get("SEED") or 1)
TICK: Final = timedelta(minutes=3)
"""Sensors tick more often; this is enough, and harder."""
SCHEDULED: Final = timedelta(minutes=15)
SAMPLED: Final = timedelta(minutes=30)
KINDS: Final = frozenset(Fault) - {Fault.SORTS_BY_ANOTHER_KEY, Fault.IGNORES_A_PARAMETER}
CRASHES: Final = 0.01
"""How often each side effect crashes, before or after it."""


class Crash(RuntimeError):
    """The process ends here."""


@dataclass
class Diary:
    jobs: Counter[str] = field(default_factory=Counter)
    stopped: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    crashed: int = 0
    balances: list[int] = field(default_factory=list)
    exposures: list[tuple[datetime, frozenset[str]]] = field(default_factory=list)


def crash_at_random(monkeypatch: pytest.MonkeyPatch, draw: Random) -> None:
    """Let every side effect between a reservation and a load crash now and then, before it or after."""

    def breaking(function: Callable[..., Any]) -> Callable[..., Any]:
        def either(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - whatever it takes and returns
            if draw.random() < CRASHES:
                raise Crash(f"before {function.__qualname__}")
            result = function(*arguments, **options)
            if draw.random() < CRASHES:
                raise Crash(f"after {function.__qualname__}")
            return result

        return either

    for owner, name in ((KeepaClient, "send"), (Landing, "__call__"), (Reservation, "settle"), (buyer, "load")):
        monkeypatch.setattr(owner, name, breaking(getattr(owner, name)))


def live(world: DagsterWorld, until: datetime) -> Diary:
    """Let the daemon's part be played until a time: sensors tick, the schedule ticks, runs run one after the other."""
    diary = Diary()
    scheduled_at = sampled_at = world.clock.now()
    while (now := world.clock.now()) < until:
        diary.balances.append(world.balance)
        if now >= sampled_at:
            diary.exposures.append((now, exposed(world)))
            sampled_at += SAMPLED
        halted = world.sensor("deficit_sensor")
        assert isinstance(halted, dg.SkipReason)
        requests: list[dg.RunRequest] = []
        if now >= scheduled_at:
            scheduled_at += SCHEDULED
            scheduled = world.schedule()
            requests += [scheduled] if isinstance(scheduled, dg.RunRequest) else []
        if not requests:
            planned = world.sensor("planner_sensor")
            assert isinstance(planned, dg.SensorResult)
            requests += planned.run_requests or ()
            if planned.skip_reason and planned.skip_reason.skip_message:
                diary.skipped[planned.skip_reason.skip_message.split()[0]] += 1
        for request in requests:
            obey(world, request, diary)
        world.clock.sleep(max(0.0, (now + TICK - world.clock.now()).total_seconds()))
    return diary


def obey(world: DagsterWorld, request: dg.RunRequest, diary: Diary) -> None:
    result = world.obey(request, raise_on_error=False)
    diary.jobs[request.job_name or ""] += 1
    failures = [event.step_failure_data.error for event in result.all_events if event.is_step_failure]
    assert all("Crash" in str(error) for error in failures), failures
    diary.crashed += bool(failures)
    for asset in ("recent_deals", "price_history", "live_offers", "backfilled_deals"):
        if told := world.metadata(result, asset):
            diary.stopped[told["stopped_by"]] += 1


def remembering(obey: Callable[..., dg.ExecuteInProcessResult], ended: dict[str, datetime]) -> Callable[..., Any]:
    """Note by the virtual clock when units end: Dagster notes it by the machine's."""

    def remember(world: DagsterWorld, request: dg.RunRequest, **options: bool) -> dg.ExecuteInProcessResult:
        result = obey(world, request, **options)
        ended[request.tags[UNIT_TAG]] = world.clock.now()
        return result

    return remember


def exposed(world: DagsterWorld) -> frozenset[str]:
    query = world.settings.recent[0].query
    market = world.server.endpoints.market(query.domain)
    return frozenset(market.asin(index) for index in market.matching(query, world.clock.now()))


@pytest.fixture
def world(make: Callable[..., DagsterWorld], monkeypatch: pytest.MonkeyPatch) -> DagsterWorld:
    made = make(faults=Faults(SEED, KINDS, 0.05))
    budget = replace(made.settings.budget, intervals=Intervals(full_scan_minutes=FULL_SCAN_MINUTES))
    made = made.with_settings(replace(made.settings, budget=budget))
    ended: dict[str, datetime] = {}
    monkeypatch.setattr(
        planning, "ended_units", lambda _instance, since: {k: at for k, at in ended.items() if at >= since}
    )
    monkeypatch.setattr(DagsterWorld, "obey", remembering(DagsterWorld.obey, ended))
    crash_at_random(monkeypatch, Random(SEED))
    return made


def test_days_with_faults_and_crashes_lose_nothing(world: DagsterWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """F04, F17, F25, F26, F27, F29, F31, F44: whatever happens, work goes on and nothing is bought for nothing."""
    start = world.clock.now()
    diary = live(world, start + timedelta(hours=HOURS))
    assert diary.crashed > 0
    monkeypatch.undo()
    world.execute("recent_deals_job", {"ops": {"recent_deals": {"config": {"tokens_max": 1}}}})

    scans = world.rows(
        "SELECT server_from, completed_at FROM scan WHERE completed_at IS NOT NULL AND shard IS NULL ORDER BY 2"
    )
    began = [start, *(server_from for server_from, _ in scans)]
    ended = [*(completed_at for _, completed_at in scans), world.clock.now()]
    cycle = max(later - earlier for earlier, later in zip(began, ended, strict=True))
    stored = {asin for (asin,) in world.rows("SELECT asin FROM recent_deal UNION SELECT asin FROM backfilled_deal")}
    long_exposed = exposed_for(diary, cycle)
    print(  # noqa: T201 - the numbers of `make days`
        f"\n{HOURS:g} hours, seed {SEED}: {dict(diary.jobs)}, {dict(diary.stopped)}, {diary.crashed} crashed; "
        f"{len(scans)} complete scans, longest cycle {cycle}; {len(stored)} stored, {len(long_exposed)} long exposed; "
        f"{world.spent} tokens spent, balances {min(diary.balances)} to {max(diary.balances)}"
    )
    assert cycle < timedelta(hours=8)
    assert long_exposed
    assert long_exposed <= stored

    landed = {path.stem for path in landed_files(world.settings.places.landing)}
    assert landed == {name for (name,) in world.rows("SELECT landed_file FROM landed_file")}
    lost = world.spent - world.rows("SELECT coalesce(sum(tokens_consumed), 0) FROM landed_file")[0][0]
    assert 0 <= lost <= 0.15 * world.spent, "only answers that never came, or that crashed before they landed"
    pages = world.rows("SELECT count(*), count(DISTINCT (scan_id, page)) FROM scan_page")[0]
    assert pages[0] == pages[1], "no page of a scan is bought twice once it has landed"


def exposed_for(diary: Diary, cycle: timedelta) -> set[str]:
    """Return what every sample showed over some time longer than a cycle."""
    found: set[str] = set()
    span = cycle // SAMPLED + 2
    for index in range(len(diary.exposures) - span + 1):
        window = [asins for _, asins in diary.exposures[index : index + span]]
        found |= frozenset.intersection(*window)
    return found
