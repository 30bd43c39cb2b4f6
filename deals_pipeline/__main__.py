"""`python -m deals_pipeline`: Dagster's home, and Dagster in it."""

import argparse
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NoReturn

from dotenv import load_dotenv

from deals_pipeline.config import ConfigError, Mode, Settings, load_settings
from deals_pipeline.demo import run_demo
from deals_pipeline.home import HOST, Dev, HomeInUse, environment, prepare, take
from deals_pipeline.status import StateUnknown, tell

PORT_MAX: Final = 65_535
STANDARD_INPUT: Final = 0
QUIET: Final = "ignore:Function `dev_command` is superseded"
"""What is said to have superseded it wants a project of another layout."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; return the exit status.

    1 where the home or the port is taken, or the pipeline has stopped; 2 for bad input; 3 where the state is not known.
    """
    options = parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.run
    try:
        return command(options)
    except (ConfigError, HomeInUse, PortTaken, StateUnknown) as refused:
        print(f"deals_pipeline: {refused}", file=sys.stderr)
        return next(status for kind, status in EXIT_STATUS.items() if isinstance(refused, kind))


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    line = argparse.ArgumentParser(prog="python -m deals_pipeline", description="Run the pipeline.")
    commands = line.add_subparsers(metavar="COMMAND", required=True)

    text = "make Dagster's home ready and print its path, which every dagster command wants in DAGSTER_HOME"
    home = commands.add_parser("home", help=text, description=f"{text}.")
    home.set_defaults(run=_home)

    text = "run the main job and one backfill shard, and say what they found and what that cost"
    demo = commands.add_parser("demo", help=text, description=f"{text}.")
    demo.set_defaults(run=_demo)

    text = "say how the pipeline stands, and whether it progresses; it spends nothing, and may be asked at any time"
    status = commands.add_parser("status", help=text, description=f"{text}.", epilog=STATUS_MEANS)
    status.set_defaults(run=_status)

    text = "run Dagster with its web page, until Ctrl-C; one at a time in a home"
    dev = commands.add_parser("dev", help=text, description=f"{text}.")
    dev.add_argument("--port", type=_port, default=3000, help=f"port on {HOST}, 3000 if not given")
    dev.set_defaults(run=_dev)
    return line


class PortTaken(Exception):
    """The web page cannot be served on a port; the message says why."""


EXIT_STATUS: Final = {HomeInUse: 1, PortTaken: 1, ConfigError: 2, StateUnknown: 3}
STATUS_MEANS: Final = (
    "Exit status: 0 it progresses, or waits for tokens as foreseen; 1 it has stopped, the reason is the last line, or "
    "nothing was bought yet; 2 the settings are wrong; 3 the warehouse or the ledger cannot be looked at."
)


def run_dagster(settings: Settings, port: int) -> NoReturn:
    """Become `dagster dev` in the home of the settings. Raises `ConfigError`, `HomeInUse` or `PortTaken`.

    It works in its home: there no `.env` replaces the settings, and none but the home's `dagster.yaml` is found.
    """
    home = prepare(settings)
    lock = take(home, port)
    _require_free(port)
    load_dotenv(Path.cwd() / ".env", encoding="utf-8-sig")
    print(f"Dagster: {Dev(os.getpid(), port).url}, in some 20 seconds. Ctrl-C ends it.")
    print(f"Mode: {_mode(settings)}. Files: {settings.places.home}", flush=True)
    os.dup2(lock, STANDARD_INPUT)
    os.chdir(home)
    reviving = [sys.executable, "-m", "deals_pipeline.reviving", str(port), str(os.getpid())]
    subprocess.Popen(reviving, stdin=subprocess.DEVNULL)  # noqa: S603 - ends with us, whoever we become
    command = [sys.executable, "-W", QUIET, "-m", "dagster", "dev", "-m", "deals_pipeline.definitions"]
    command += ["-h", HOST, "-p", str(port)]
    os.execve(sys.executable, command, {**os.environ, **environment(settings)})  # noqa: S606 - no shell is wanted


def _home(_: argparse.Namespace) -> int:
    print(_prepared(load_settings()))
    return 0


def _demo(_: argparse.Namespace) -> int:
    settings = load_settings()
    _prepared(settings)
    return run_demo(settings)


def _status(_: argparse.Namespace) -> int:
    progresses, lines = tell(load_settings())
    print("\n".join(lines))
    return 0 if progresses else 1


def _prepared(settings: Settings) -> Path:
    """Make the home ready, with the partitions that one can name at once."""
    home = prepare(settings)
    import dagster as dg  # noqa: PLC0415 - takes a second, and `dev` does without

    from deals_pipeline.assets.backfilled_deals import announce_shards  # noqa: PLC0415

    with dg.DagsterInstance.from_config(str(home)) as instance:
        announce_shards(instance, settings)
    return home


def _dev(options: argparse.Namespace) -> NoReturn:
    run_dagster(load_settings(), options.port)


def _mode(settings: Settings) -> str:
    match settings.mode:
        case Mode.SIMULATED:
            return f"simulated, no KEEPA_API_KEY: {settings.api_url or 'the simulator'} serves"
        case Mode.LIVE:
            return f"live, {settings.api_url} serves"


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as why:
            message = f"--port {port}: {why.strerror}: allowed is a port that is free on {HOST}"
            raise PortTaken(message) from None


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= PORT_MAX:
        raise argparse.ArgumentTypeError(f"{text!r}: allowed is a whole number from 1 to {PORT_MAX}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
