"""What the processes do: each lane its own kind of request, each ask in its own way, some of them dying."""

from collections.abc import Generator
from contextlib import ExitStack, suppress
from datetime import timedelta
from typing import Final

from deals_pipeline.keepa.replies import Reply
from deals_pipeline.keepa.requests import DealPageRequest, ProductRequest, Request, SellerRequest
from deals_pipeline.keepa.selection import DealSelection
from deals_pipeline.simulator.account import capacity_of
from deals_pipeline.token_bucket.bucket import HoldNotOpen
from deals_pipeline.token_bucket.model import Lane
from deals_pipeline.token_bucket.reservation import RequestTooLarge, Reservation, TokenDeficit
from deals_pipeline_tests.simulation.ledger import ProcessDied
from deals_pipeline_tests.simulation.processes import Process, Waiting, Work, WorkEnded
from deals_pipeline_tests.simulation.scenario import Trouble
from deals_pipeline_tests.simulation.service import Call
from deals_pipeline_tests.simulation.world import World

SHARES: Final = {Lane.HISTORY: 0.3, Lane.OFFERS: 0.5, Lane.BACKFILL: 0.2}
SCANNED_EVERY_MS: Final = 600_000
REMEMBERED: Final = 0.95
"""How much of what was spent before a grant the planner still counts after it."""
CALLS_UNDER_WAY_MAX: Final = 4
RECHECKED_EVERY: Final = timedelta(seconds=60.5)
LOOKED_AFTER_EVERY: Final = timedelta(hours=1)
"""How often a patient asker, who comes back when it was told to, asks whether that still holds (F07)."""
STRUCK: Final = 0.01
"""How often a process dies, or an error strikes, between reserving and settling."""

PAGE: Final = DealPageRequest(selection=DealSelection())
ASINS: Final = tuple(f"B{number:09d}" for number in range(100))
HISTORIES: Final[tuple[Request, ...]] = (
    *(ProductRequest(asins=ASINS[:size]) for size in (1, 10, 50, 100)),
    ProductRequest(asins=ASINS, buybox=True, rating=True),
)
OFFERS: Final[tuple[Request, ...]] = tuple(
    ProductRequest(asins=ASINS[:size], offers=offers) for size in (1, 5, 10, 20) for offers in (20, 100)
)
SELLERS: Final[tuple[Request, ...]] = tuple(SellerRequest(seller_ids=ASINS[:size]) for size in (1, 20, 100))


def start(world: World, process: Process) -> None:
    """Start the works of a process."""
    match process.name:
        case "recent":
            world.spawn(process, recent(world, process))
        case "ad hoc":
            world.spawn(process, ad_hoc(world, process))
        case _ if world.scenario.is_planned:
            world.spawn(process, planner(world, process))
        case _:
            for lane in SHARES:
                world.spawn(process, one_lane(world, process, lane))


def recent(world: World, process: Process) -> Work:
    """Scan the newest pages every ten minutes, for at most a fifth of the refill."""
    while world.is_working:
        yield from quiet(world)
        pages = max(1, min(10, world.service.account.refill_rate * 2 // PAGE.cost.high))
        for _ in range(pages):
            yield from one_call(world, process, Lane.RECENT, PAGE)
        yield SCANNED_EVERY_MS


def ad_hoc(world: World, process: Process) -> Work:
    """Ask for sellers now and then."""
    while world.is_working:
        yield round(world.draw.expovariate(1 / 7_200_000))
        yield from quiet(world)
        yield from one_call(world, process, Lane.AD_HOC, fitting(world, SELLERS))


def planner(world: World, process: Process) -> Work:
    """Ask for whichever lane is furthest below its share; its calls may overlap, its asks do not."""
    spent = dict.fromkeys(SHARES, 0.0)
    while world.is_working:
        yield from quiet(world)
        lane = min(SHARES, key=lambda lane: spent[lane] / SHARES[lane])
        request = next_request(world, lane)
        with ExitStack() as stack:
            call, hold = yield from grant(world, process, lane, request, stack)
            spent = {other: tokens * REMEMBERED for other, tokens in spent.items()}
            spent[lane] += call.high
            world.spawn(process, send(world, process, call, hold, stack.pop_all()))
        while len(process.works) > CALLS_UNDER_WAY_MAX:
            yield 500


def one_lane(world: World, process: Process, lane: Lane) -> Work:
    """Ask for one lane without end."""
    while world.is_working:
        yield from quiet(world)
        yield from one_call(world, process, lane, next_request(world, lane))


def one_call(world: World, process: Process, lane: Lane, request: Request) -> Work:
    """Wait for tokens and make a call."""
    with ExitStack() as stack:
        call, hold = yield from grant(world, process, lane, request, stack)
        yield from send(world, process, call, hold, stack)


def grant(
    world: World, process: Process, lane: Lane, request: Request, stack: ExitStack
) -> Generator[int | Call, Reply | None, tuple[Call, Reservation]]:
    """Ask until it is granted: again at each tick, or in some cases only when it was told to come back."""
    waiting = Waiting(lane, request, world.now)
    is_patient = world.draw.random() < 0.2
    while world.is_working:
        asked_at = world.now
        try:
            hold = stack.enter_context(process.bucket.reserve(request, lane=lane, purpose="simulation"))
        except TokenDeficit as deficit:
            if waiting not in process.waiting and not is_patient:
                process.waiting.append(waiting)
            pause = deficit.retry_at - world.local_time()
            pause = min(pause, LOOKED_AFTER_EVERY if is_patient else RECHECKED_EVERY)
            yield max(1, pause // timedelta(milliseconds=1) + 1)
        except RequestTooLarge:
            world.split(lane, request)
            request = min((PAGE, *HISTORIES), key=lambda other: other.cost.high)
        else:
            if waiting in process.waiting:
                process.waiting.remove(waiting)
            return world.granted(request, hold, asked_at), hold
    raise WorkEnded


def send(world: World, process: Process, call: Call, hold: Reservation, stack: ExitStack) -> Work:
    """Make a call and settle its hold, unless something comes between."""
    with stack:
        strikes = world.draw.random() < STRUCK and Trouble.CRASHES in world.scenario.troubles
        stage = world.draw.randrange(3) if strikes else None
        if stage == 0:
            call.is_over = True
            die(process)
        hold.mark_sent()
        if stage == 1:
            world.timeline.after(world.draw.randint(1, 2_000), lambda: world.kill(process))
        reply = yield call
        assert reply is not None
        if stage == 2:
            die(process)
        if Trouble.ERRORS in world.scenario.troubles and world.draw.random() < STRUCK:
            world.say(f"call {call.number}: an error after sending")
            return
        world.settle(call, hold, reply)
        if Trouble.REPEATS in world.scenario.troubles and world.draw.random() < STRUCK * 5:
            yield world.draw.choice((0, 1_000, 120_000))
            with suppress(HoldNotOpen):
                world.settle(call, hold, reply)


def die(process: Process) -> None:
    """Let a process die here and now."""
    process.ledger.is_alive = False
    raise ProcessDied


def quiet(world: World) -> Work:
    """Wait for the end of quiet hours."""
    for begin, end in world.scenario.quiet:
        if begin <= world.now < end:
            yield end - world.now


def next_request(world: World, lane: Lane) -> Request:
    """Return what a lane asks for next."""
    if lane is Lane.HISTORY:
        return fitting(world, HISTORIES)
    if lane is Lane.OFFERS:
        return fitting(world, OFFERS)
    return PAGE if world.service.account.refill_rate <= 25 else fitting(world, HISTORIES)


def fitting(world: World, requests: tuple[Request, ...]) -> Request:
    """Return one of those that the capacity admits; on large plans small ones are not worth a call."""
    capacity = capacity_of(world.service.account.refill_rate)
    fit = [request for request in requests if request.cost.high <= capacity]
    worth = [request for request in fit if request.cost.high * 150 >= capacity]
    return world.draw.choice(worth or fit or [PAGE])
