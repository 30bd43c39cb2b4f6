"""`python -m deals_pipeline.simulator`: a Keepa service on 127.0.0.1, to point any client at."""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import uvicorn

from deals_pipeline.keepa.time import to_unix_ms
from deals_pipeline.simulator.account import AccountConfig
from deals_pipeline.simulator.app import make_app
from deals_pipeline.simulator.endpoints import Endpoints
from deals_pipeline.simulator.faults import Fault, Faults
from deals_pipeline.simulator.server import KeepaServer
from deals_pipeline.simulator.store import MemoryStore, SqliteStore, Store, StoreError, stored_config

HOST = "127.0.0.1"
FOREIGN_SPEND_FOR = timedelta(days=365)
KEEP_ALIVE_SECONDS = 75
"""A client on a busy machine takes long between two calls; one that is sent while the connection closes is lost."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until interrupted; return the exit status."""
    options = parser().parse_args(arguments)
    kinds = Faults.of_seed(options.seed).kinds if options.faults_of_seed else frozenset(options.faults)
    faults = Faults(options.seed, kinds, options.faults_share)
    try:
        store = _store(options.state, _account(options, faults))
    except (ValueError, StoreError) as refused:
        print(f"simulator: {refused}", file=sys.stderr)
        return 2
    server = KeepaServer(Endpoints(options.seed, options.products), store, faults)
    on = ", ".join(sorted(kind.value for kind in faults.kinds)) or "none"
    print(f"Simulated Keepa: http://{HOST}:{options.port} (any key). Ctrl-C ends it.")
    print(
        f"{options.products} products, {options.refill_rate} tokens a minute, seed {options.seed}, faults: {on}",
        flush=True,
    )
    uvicorn.run(
        make_app(server), host=HOST, port=options.port, log_level="warning", timeout_keep_alive=KEEP_ALIVE_SECONDS
    )
    return 0


def _account(options: argparse.Namespace, faults: Faults) -> AccountConfig:
    now = datetime.now(timezone.utc)
    kept = stored_config(options.state) if options.state else None
    if kept is not None:
        return replace(kept, seed=options.seed, refill_rate=options.refill_rate)
    return AccountConfig(
        seed=options.seed,
        refill_rate=options.refill_rate,
        started_at=to_unix_ms(now),
        tokens=options.tokens,
        foreign_spend=faults.foreign_spend(now, now + FOREIGN_SPEND_FOR, options.refill_rate),
    )


def _store(state: Path | None, account: AccountConfig) -> Store:
    return MemoryStore(account) if state is None else SqliteStore(state, account)


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    line = argparse.ArgumentParser(
        prog="python -m deals_pipeline.simulator",
        description="Serve a simulated Keepa API on 127.0.0.1. Ctrl-C ends it.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    line.add_argument("--port", type=_whole(1, 65_535), default=8900, help="port on 127.0.0.1")
    line.add_argument("--seed", type=int, default=0, help="which world: products, history, drift, faults")
    line.add_argument("--products", type=_whole(1, 1_000_000), default=2_000, help="how many products there are")
    line.add_argument("--refill-rate", type=_whole(0, 100_000), default=5, help="tokens a minute")
    line.add_argument("--tokens", type=int, help="balance at the start; may be negative; a full bucket if not given")
    line.add_argument("--state", type=Path, metavar="FILE", help="keep the account in a file that processes share")
    line.add_argument(
        "--faults",
        nargs="*",
        type=_fault,
        default=[],
        metavar="KIND",
        help=f"what goes wrong, any of: {', '.join(kind.value for kind in Fault)}",
    )
    line.add_argument("--faults-share", type=_share, default=0.05, help="part of the requests that a fault strikes")
    line.add_argument("--faults-of-seed", action="store_true", help="the half of all faults that the seed picks")
    return line


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text!r}: allowed is a whole number from {low} to {high}")
        return int(text)

    return parse


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r}: allowed is 0 to 1")
    return share


def _fault(text: str) -> Fault:
    try:
        return Fault(text)
    except ValueError as unknown:
        allowed = ", ".join(kind.value for kind in Fault)
        raise argparse.ArgumentTypeError(f"{text!r}: allowed are {allowed}") from unknown


if __name__ == "__main__":
    sys.exit(main())
