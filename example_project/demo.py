"""``make demo``: the example project on SQLite, with a provider simulator, in the foreground.

The keys of Anthropic and OpenAI are generated. Any other provider whose key is in the environment is checked as well,
at the simulator, which accepts that key: MISTRAL_API_KEY=… make demo
"""

from __future__ import annotations

import argparse
import os
import signal
import sys

from example_project.deployment import Server, healthy_environment, manage, provider_keys
from example_project.ports import bind
from example_project.provider_simulator import MODES, Simulator

BANNER = """
The healthguard example project runs on http://localhost:{port}. Press Ctrl-C to stop it.
Database: {database}. The AI providers are a SIMULATOR on 127.0.0.1:{simulator}; the keys are generated.

Overall health:
  curl -s localhost:{port}/api/health
Details of each check (needs the token):
  curl -s localhost:{port}/api/health -H 'Authorization: Bearer {token}'
The probe of load balancers and Kubernetes:
  curl -si localhost:{port}/api/health/ready
The service that is checked:
  curl -s localhost:{port}/api/v1/credentials/exchange -H 'x-api-key: {api_key}' \\
       -d '{{"providers": ["anthropic"], "ttl_minutes": 60}}'
Simulate a failure of the provider, then request a fresh result (modes: {modes}):
  curl -s localhost:{simulator}/simulate -d '{{"mode": "reject"}}'
  curl -s 'localhost:{port}/api/health?fresh=1' -H 'Authorization: Bearer {token}'
"""


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """Run the demo until it is interrupted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8000, help="the port to listen on (default: 8000)")
    port = parser.parse_args().port
    if not 0 < port < 65536:
        parser.error("--port must be a number from 1 to 65535")
    try:
        bind(port)
    except PermissionError:
        sys.exit(f"This user may not listen on port {port}. Choose a port above 1023: make demo PORT=8000")
    except OSError:
        sys.exit(f"Port {port} is in use. Choose another one: make demo PORT={port + 1 if port < 65535 else 8000}")
    database_url = os.environ.get("DATABASE_URL")
    simulator = Simulator()
    environment = healthy_environment(simulator.base_urls, database_url)
    simulator.keys = provider_keys(environment)
    simulator.start()
    for number in (signal.SIGINT, signal.SIGTERM):
        # A shell starts a background process with SIGINT ignored. The server must be stopped on SIGINT even then.
        signal.signal(number, _interrupt)
    manage(environment, "migrate", "--verbosity=0")
    environment["EXCHANGE_API_KEY"] = api_key = manage(environment, "seed_demo")
    server = Server(port, environment)
    try:
        server.wait_until_live()
        print(
            BANNER.format(
                port=port,
                database="the one in DATABASE_URL" if database_url else "SQLite, in .state/",
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
