"""The simulator responds like each provider, and the demo checks each provider whose key is in the environment."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import urllib.request
from typing import IO, cast

import pytest

from example_project.ai_providers import more_ai_providers
from example_project.provider_simulator import MODES, SHAPES, Simulator
from healthguard.providers import PROVIDERS
from healthguard.runtime.deadline import deadline_after
from healthguard.status import Status
from tests.support.fixture_types import RunCheck
from tests.support.keys import key_of
from tests.support.sites import REPOSITORY

CODES = {
    "ok": None,
    "reject": "key_rejected",
    "500": "provider_down",
    "429": "provider_rate_limited",
    "silent": "provider_down",
    "garbage": "provider_inconclusive",
    "redirect": "provider_inconclusive",
    "no-funds": "key_no_funds",
}
"""The expected problem code in each mode."""

REDIRECTED = [name for name, provider in PROVIDERS.items() if provider.base_url_variables or name == "azure_openai"]
"""The providers whose address is in a variable of the environment."""


@pytest.fixture(autouse=True)
def _without_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for provider in PROVIDERS.values():
        for variable in provider.variables:
            monkeypatch.delenv(variable, raising=False)


def test_simulator_has_every_provider() -> None:
    assert list(SHAPES) == list(PROVIDERS)
    assert list(CODES) == list(MODES)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", PROVIDERS)
def test_each_mode_leads_to_its_problem_code(
    result: RunCheck, provider: Simulator, monkeypatch: pytest.MonkeyPatch, name: str, mode: str
) -> None:
    key = key_of(PROVIDERS[name], random.Random(name))
    monkeypatch.setenv(PROVIDERS[name].variables[0], key)
    check = more_ai_providers()[name]
    provider.keys = {key}
    provider.mode = mode
    with deadline_after(0.4 if mode == "silent" else 5):
        outcome = result(check)
    # Bedrock's response to a wrong key is the same as that to a wrong region.
    code = "provider_inconclusive" if (name, mode) == ("bedrock", "reject") else CODES[mode]
    assert (outcome.problem and outcome.problem.code) == code
    assert (outcome.status is Status.HEALTHY) == (mode == "ok")


def test_provider_without_a_variable_for_its_address_has_none_in_the_simulator() -> None:
    without = [name for name in PROVIDERS if name not in REDIRECTED]
    assert [name for name in without if SHAPES[name].variable is not None] == []


@pytest.mark.parametrize("name", REDIRECTED)
def test_clients_find_the_simulator_by_their_own_variable(
    result: RunCheck, provider: Simulator, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv("PROVIDER_SIMULATOR")
    key = key_of(PROVIDERS[name], random.Random(name))
    monkeypatch.setenv(PROVIDERS[name].variables[0], key)
    provider.keys = {key}
    assert result(more_ai_providers()[name]).status is Status.HEALTHY
    assert provider.received[0] == key


def test_only_providers_with_a_key_are_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    assert more_ai_providers() == {}
    monkeypatch.setenv("MISTRAL_API_KEY", "")
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    assert list(more_ai_providers("anthropic", "openai")) == ["mistral"]


def test_program_prints_its_help_and_its_address() -> None:
    command = [sys.executable, "-m", "example_project.provider_simulator"]
    help_text = subprocess.run([*command, "--help"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    assert all(word in help_text for word in ("SIMULATOR", "elevenlabs", "no-funds", "/simulate"))
    with subprocess.Popen(
        [*command, "--port", "0", "--key", "a-key"], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    ) as running:
        try:
            line = next(line for line in cast(IO[str], running.stdout) if "PROVIDER_SIMULATOR" in line)
            root = line.strip().partition("=")[2]
            request = urllib.request.Request(f"{root}/voyage/v1/files", headers={"Authorization": "Bearer a-key"})
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            assert json.load(opener.open(request, timeout=10))["data"] == []
        finally:
            running.terminate()
