"""Install check: the installed wheel in a fresh Django project, as README.md says.

python -I smoke.py FOLDER     (an empty folder, in which the project is made)

Only README.md and what pastes its blocks come from this checkout; the package must be the installed one.
"""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import healthguard

CHECKOUT = Path(__file__).resolve().parent.parent
DISTRIBUTION = "django-healthguard"
sys.path.append(str(CHECKOUT))

from tests.repository.documentation_pages import DocumentedProject, Page  # noqa: E402


def main() -> None:
    assert "site-packages" in healthguard.__file__, healthguard.__file__
    assert (Path(healthguard.__file__).parent / "py.typed").exists()
    assert version(DISTRIBUTION) == healthguard.__version__
    shown = subprocess.run(
        [sys.executable, "-m", "pip", "show", DISTRIBUTION], check=True, capture_output=True, text=True
    ).stdout
    assert f"Name: {DISTRIBUTION}\nVersion: {healthguard.__version__}\n" in shown, shown
    readme = Page(CHECKOUT / "README.md")
    assert f"$ pip install {DISTRIBUTION}\n" in readme.text
    project = DocumentedProject(Path(sys.argv[1]), sys.executable)
    check_first_steps(project, readme)
    check_declaration(project, readme)
    print("The installed wheel works in a fresh project, as README.md says.")


def check_first_steps(project: DocumentedProject, readme: Page) -> None:
    project.paste(*readme.first_steps())
    checked = project.manage("check", "--fail-level", "WARNING")
    assert checked.returncode == 0, checked.stderr
    with project.serve() as running:
        reply = running.wait_until_known("/api/health")
        assert (reply.status, reply.json["services"]["database"]) == (503, "unhealthy"), reply
        migrated = project.manage("migrate", "--verbosity=0")
        assert migrated.returncode == 0, migrated.stderr
        reply = running.wait_for("/api/health", 200)
        assert reply.json["services"]["database"] == "healthy", reply
        for path in readme.paths():
            running.wait_for(path, 200)


def check_declaration(project: DocumentedProject, readme: Page) -> None:
    project.paste(readme.declaration())
    checked = project.manage("check")
    assert checked.returncode == 0, checked.stderr
    with project.serve() as running:
        reply = running.wait_until_known("/api/health")
        assert reply.status == 503, reply
        assert list(reply.json["services"]) == ["database", "ai_providers", "django_config", "cache"], reply
        assert running.get("/api/health/live").status == 200


if __name__ == "__main__":
    main()
