"""Every setting, problem code, system check and check is documented."""

from __future__ import annotations

import argparse
import ast
import inspect
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django
import pytest
from django.apps import AppConfig
from django.core import mail

import healthguard.checks
import healthguard.conf.monitor
import healthguard.conf.tokens
from healthguard import Service, __version__, conf
from healthguard.database.schema import FindingKind
from healthguard.http.handler import Request, respond
from healthguard.management import history, monitor_options
from healthguard.probe.options import parse_options
from healthguard.signals import status_changed
from healthguard.status import Code
from tests.support import strange_checks as strange
from tests.support.fixture_types import Declare
from tests.support.sites import REPOSITORY

DOCS = {path.name: path.read_text() for path in (REPOSITORY / "docs").glob("*.md")}
README = (REPOSITORY / "README.md").read_text()
PACKAGE = REPOSITORY / "healthguard"
CARRIERS = {"Problem", "Unhealthy", "Degraded"}
"""The classes whose first argument is a problem code."""


def literal_codes() -> list[str]:
    """Return the places where the package writes a problem code as a string instead of a member of Code."""
    return [
        f"{path.name}:{node.lineno}"
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and (node.func.id if isinstance(node.func, ast.Name) else "") in CARRIERS
        and node.args
        and isinstance(node.args[0], ast.Constant | ast.JoinedStr)
    ]


def test_every_code_is_a_member_of_the_enum() -> None:
    assert literal_codes() == []
    assert set(FindingKind) <= set(Code)


def test_every_code_is_documented() -> None:
    assert [code for code in Code if f"`{code}`" not in DOCS["checks.md"]] == []


@pytest.mark.parametrize("key", conf.KEYS)
def test_every_setting_is_documented(key: str) -> None:
    assert f"| `{key}` |" in DOCS["settings.md"]


@pytest.mark.parametrize("name", [name for name in inspect.signature(Service).parameters if name != "checks"])
def test_every_option_of_a_service_is_documented(name: str) -> None:
    assert f"| `{name}` |" in DOCS["settings.md"]


@pytest.mark.parametrize("name", sorted(conf.RESERVED))
def test_every_reserved_name_is_documented(name: str) -> None:
    assert f"`{name}`" in DOCS["settings.md"]


def test_every_system_check_is_documented() -> None:
    from healthguard.system_checks import checks as system_checks

    source = "".join(map(inspect.getsource, (conf, healthguard.conf.monitor, healthguard.conf.tokens, system_checks)))
    ids = set(re.findall(r'"(?:healthguard\.)?([EW]\d{3})"', source))
    assert ids == set(re.findall(r"healthguard\.([EW]\d{3})", DOCS["settings.md"]))


@pytest.mark.parametrize("name", healthguard.checks.__all__)
def test_every_check_is_documented(name: str) -> None:
    assert f"`{name}(" in DOCS["checks.md"]
    assert f"`{name}(" in README


@pytest.mark.parametrize(("subcommand", "section"), [("monitor", "Monitor"), ("history", "History")])
def test_every_option_of_the_monitor_is_documented(subcommand: str, section: str) -> None:
    parser = argparse.ArgumentParser()
    {"monitor": monitor_options, "history": history}[subcommand].add_arguments(parser)
    options = set(re.findall(r"^  (?:-\w, )?(--[\w-]+)", parser.format_help(), re.MULTILINE)) - {"--help"}
    table = DOCS["commands.md"].split(f"\n## {section}\n")[1].split("\n## ")[0]
    assert options == set(re.findall(r"^\| `(--[\w-]+)", table, re.MULTILINE)) - {"--verbosity"}


@pytest.mark.parametrize("key", healthguard.conf.monitor.KEYS)
def test_every_key_of_the_monitor_is_documented(key: str) -> None:
    assert f"| `{key}` |" in DOCS["settings.md"]


def test_every_option_of_the_probe_command_is_documented(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_options(["--help"])
    options = set(re.findall(r"^  (?:-\w, )?(--[\w-]+)", capfd.readouterr().out, re.MULTILINE)) - {"--help"}
    table = DOCS["howto.md"].split("## Probe without curl")[1].split("\n## ")[0]
    assert options == set(re.findall(r"^\| `(--[\w-]+)` \|", table, re.MULTILINE))


@pytest.mark.parametrize("command", re.findall(r'\["python", "-m", "healthguard.probe", (.+?)\]', DOCS["howto.md"]))
def test_probe_command_of_the_howto_page_is_valid(command: str) -> None:
    options = parse_options(json.loads(f"[{command}]"))
    assert options.target.path == "/api/health/ready"


def test_the_changelog_has_a_section_for_this_version() -> None:
    assert f"\n## {__version__}\n" in (REPOSITORY / "CHANGELOG.md").read_text()


def test_the_readme_names_commands_that_exist() -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    targets = set(re.findall(r"make (\w+)", README)) - {"sure"}
    assert targets
    assert targets <= set(re.findall(r"^(\w+):", makefile, re.MULTILINE))


def test_every_link_between_pages_leads_to_a_file() -> None:
    links = [
        (REPOSITORY / "docs" / name).parent / target
        for name, text in {**DOCS, "../README.md": README}.items()
        for target in re.findall(r"\]\(([^)#:]+\.md)(?:#[^)]*)?\)", text)
    ]
    assert len(links) > 20
    assert [link for link in links if not link.exists()] == []


HOWTO_BLOCKS = re.findall(r"^```python\n# settings\.py\n(.+?)^```", DOCS["howto.md"], re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("number", range(len(HOWTO_BLOCKS)))
def test_settings_of_the_howto_page_can_be_imported(number: int) -> None:
    """The clients of Redis and of brokers are imported only when a check runs."""
    settings: dict[str, Any] = {}
    exec(HOWTO_BLOCKS[number], settings)
    assert isinstance(settings["HEALTHGUARD"], dict)


@pytest.fixture
def howto_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The app of the howto page, whose receiver is connected until the test ends."""
    blocks = dict(re.findall(r"^```python\n# (shop/\w+\.py)\n(.+?)^```", DOCS["howto.md"], re.MULTILINE | re.DOTALL))
    (tmp_path / "shop").mkdir()
    for name, code in {"shop/__init__.py": "", **blocks}.items():
        (tmp_path / name).write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    AppConfig.create("shop.apps.ShopConfig").ready()
    yield
    assert status_changed.disconnect(sys.modules["shop.receivers"].mail_about_outages)
    for name in ("shop", "shop.apps", "shop.receivers"):
        del sys.modules[name]


@pytest.mark.usefixtures("howto_app")
def test_app_of_the_howto_page_mails_the_reason_of_an_outage(healthguard_settings: Declare, settings: Any) -> None:
    """A recovery causes no mail."""
    settings.ADMINS = ["admin@example.com"] if django.VERSION >= (6, 0) else [("Admin", "admin@example.com")]
    for check in (strange.Raises(strange.UNAVAILABLE), strange.Fine):
        healthguard_settings({"database": check}, INLINE=True)
        respond(Request("GET", ""))
    (message,) = mail.outbox
    assert re.fullmatch(r".* database is unhealthy since \d\d:\d\d UTC", str(message.subject))
    assert "no way to postgres://" in message.body


@pytest.mark.parametrize("public", ["services", "status"])
@pytest.mark.parametrize("critical", [True, False])
def test_keyword_of_the_howto_page_is_only_in_healthy_responses(
    healthguard_settings: Declare, public: str, critical: bool
) -> None:
    """Uptime monitors search the response for this text."""
    keyword = {"services": '{"status": "healthy", "services"', "status": '{"status": "healthy"}'}[public]
    assert f"`{keyword}`" in DOCS["howto.md"]
    healthguard_settings({"fine": strange.Fine}, PUBLIC=public, DEADLINE=30)
    assert keyword in respond(Request("GET", "")).body.decode()
    failing = Service(strange.Raises(strange.UNAVAILABLE), critical=critical)
    healthguard_settings({"fine": strange.Fine, "group": {"bad": failing}}, PUBLIC=public, DEADLINE=30)
    assert keyword not in respond(Request("GET", "")).body.decode()
