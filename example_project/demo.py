"""``make demo``: the example project on SQLite, with a provider simulator, in the foreground.

The keys of Anthropic and OpenAI are made up. Any other provider whose key is in the environment is shown as well, and
asked at the simulator, which takes that key for real: MISTRAL_API_KEY=… make demo
"""

from __future__ import annotations

import argparse
import os
import signal
import sys

from example_project.deployment import Server, healthy_environment, is_free, manage, provider_keys
from example_project.provider_simulator import MODES, Simulator

BANNER = """
healthguard's example project runs on http://localhost:{port}; Ctrl-C ends it.
Database: {database}. The AI providers are a SIMULATOR on 127.0.0.1:{simulator}; the keys are made up.

How is everything?
  curl -s localhost:{port}/api/health
What did each check find? (details, with the token)
  curl -s localhost:{port}/api/health -H 'Authorization: Bearer {token}'
What a load balancer and Kubernetes ask:
  curl -si localhost:{port}/api/health/ready
The service itself:
  curl -s localhost:{port}/api/v1/credentials/exchange -H 'x-api-key: {api_key}' \\
       -d '{{"providers": ["anthropic"], "ttl_minutes": 60}}'
Let the provider be in trouble, then ask for a fresh answer (modes: {modes}):
  curl -s localhost:{simulator}/simulate -d '{{"mode": "reject"}}'
  curl -s 'localhost:{port}/api/health?fresh=1' -H 'Authorization: Bearer {token}'
"""


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """Run it until it is interrupted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8000)
    port = parser.parse_args().port
    if not 0 < port < 65536:
        parser.error("a port is a number from 1 to 65535")
    if not is_free(port):
        sys.exit(f"Port {port} is in use. Choose another: make demo PORT={port + 1}")
    database_url = os.environ.get("DATABASE_URL")
    simulator = Simulator()
    environment = healthy_environment(simulator.base_urls, database_url)
    simulator.keys = provider_keys(environment)
    simulator.start()
    for number in (signal.SIGINT, signal.SIGTERM):
        # Also where a shell started this in the background, and so with SIGINT ignored: the server must end with it.
        signal.signal(number, _interrupt)
    manage(environment, "migrate", "--verbosity=0")
    environment["EXCHANGE_API_KEY"] = api_key = manage(environment, "seed_demo")
    server = Server(port, environment)
    try:
        server.wait_until_live()
        print(
            BANNER.format(
                port=port,
                database="the one of DATABASE_URL" if database_url else "SQLite, in .state/",
                simulator=simulator.server_port,
                modes=", ".join(MODES),
                token=environment["HEALTHGUARD_TOKEN"],
                api_key=api_key,
            ),
            flush=True,
        )
        return server.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        server.stop()
        simulator.stop()


if __name__ == "__main__":
    sys.exit(main())
