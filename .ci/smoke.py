"""The installed wheel in a fresh Django project, as a user has it: nothing of this checkout is in reach.

python smoke.py FOLDER     (an empty folder, in which the project is made)
"""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from importlib.metadata import version
from pathlib import Path

import healthguard


def main() -> None:
    folder = Path(sys.argv[1])
    assert "site-packages" in healthguard.__file__, healthguard.__file__
    assert (Path(healthguard.__file__).parent / "py.typed").exists()
    assert version("healthguard") == healthguard.__version__
    run("-m", "django", "startproject", "fresh", str(folder))
    settings = folder / "fresh" / "settings.py"
    settings.write_text(settings.read_text().replace("INSTALLED_APPS = [", "INSTALLED_APPS = ['healthguard', "))
    (folder / "fresh" / "urls.py").write_text(
        "from django.urls import include, path\nurlpatterns = [path('api/health', include('healthguard.urls'))]\n"
    )
    run("manage.py", "check", "--fail-level", "WARNING", cwd=folder)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "manage.py", "runserver", "--noreload", "--skip-checks", f"127.0.0.1:{port}"]
    server = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        ends = time.monotonic() + 30
        while ask(port, "/live")[0] != 200:
            assert time.monotonic() < ends
            time.sleep(0.2)
        status, answer = ask(port)
        assert (status, answer["services"]["database"]) == (503, "unhealthy"), answer
        run("manage.py", "migrate", "--verbosity=0", cwd=folder)
        while (asked := ask(port))[0] != 200:
            assert time.monotonic() < ends, asked
            time.sleep(0.2)
        assert asked[1]["services"]["database"] == "healthy", asked
        assert ask(port, "/ready")[0] == 200
    finally:
        server.terminate()
        server.wait(10)
    print("The installed wheel answers rightly in a fresh project.")


def run(*arguments: str, cwd: Path | None = None) -> None:
    subprocess.run([sys.executable, *arguments], cwd=cwd, check=True, env={**os.environ, "PYTHONWARNINGS": "ignore"})


def ask(port: int, path: str = "") -> tuple[int, dict]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/health{path}", timeout=5) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
    except OSError:
        return 0, {}


if __name__ == "__main__":
    main()
