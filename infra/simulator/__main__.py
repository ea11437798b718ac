"""Runs the simulated Close: ``python -m infra.simulator --port 0 [--setup setup.json]``."""

import argparse
import json
import signal
import sys
from pathlib import Path
from types import FrameType

from infra.simulator.server import CloseSimulator


def main() -> None:
    arguments = _arguments()
    setup = json.loads(arguments.setup.read_text(encoding="utf-8")) if arguments.setup else {}
    try:
        simulator = CloseSimulator(arguments.port, setup)
    except OSError as error:
        sys.exit(f"The simulated Close cannot listen on 127.0.0.1:{arguments.port}: {error.strerror}")
    except (LookupError, ValueError) as error:
        sys.exit(f"The setup is invalid: {error}")
    signal.signal(signal.SIGTERM, _interrupt)
    with simulator as remote:
        urls = {"url": remote.url, "api_url": remote.api_url, "control_url": f"{remote.url}/_control/"}
        print(json.dumps(urls), flush=True)
        try:
            simulator.wait()
        except KeyboardInterrupt:
            return


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m infra.simulator", description="A simulated Close.")
    parser.add_argument(
        "--port",
        type=int,
        default=0,
        help="a port of 127.0.0.1; 0 takes a free one. The first line printed has the URLs",
    )
    parser.add_argument("--setup", type=Path, help='JSON: {"options": {…}, "organizations": [{"id", "keys", …}]}')
    return parser.parse_args()


if __name__ == "__main__":
    main()
