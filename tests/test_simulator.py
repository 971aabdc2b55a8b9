"""The simulator answers for every provider as the provider does, and the demo shows whatever there is a key for."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import urllib.request

import pytest

from example_project.ai_providers import more_ai_providers
from example_project.provider_simulator import MODES, SHAPES
from healthguard.deadline import ending_in
from healthguard.providers import PROVIDERS
from healthguard.status import Status
from tests.keys import key_of
from tests.sites import REPOSITORY

MEANS = {
    "ok": None,
    "reject": "key_rejected",
    "500": "provider_down",
    "429": "provider_rate_limited",
    "silent": "provider_down",
    "garbage": "provider_unclear",
    "redirect": "provider_unclear",
    "no-funds": "key_no_funds",
}


@pytest.fixture(autouse=True)
def _bare(monkeypatch) -> None:
    for provider in PROVIDERS.values():
        for variable in provider.variables:
            monkeypatch.delenv(variable, raising=False)


def test_it_knows_every_provider() -> None:
    assert list(SHAPES) == list(PROVIDERS)
    assert list(MEANS) == list(MODES)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", PROVIDERS)
def test_each_provider_in_each_mode(result, provider, monkeypatch, name, mode) -> None:
    key = key_of(PROVIDERS[name], random.Random(os.urandom(8)))
    monkeypatch.setenv(PROVIDERS[name].variables[0], key)
    check = more_ai_providers()[name]
    provider.keys = {key}
    provider.mode = mode
    with ending_in(0.4 if mode == "silent" else 5):
        told = result(check)
    # Bedrock says the same of a wrong key and of a wrong region.
    code = "provider_unclear" if (name, mode) == ("bedrock", "reject") else MEANS[mode]
    assert (told.problem and told.problem.code) == code
    assert (told.status is Status.HEALTHY) == (mode == "ok")


@pytest.mark.parametrize("name", PROVIDERS)
def test_clients_find_it_by_their_own_variable(result, provider, monkeypatch, name) -> None:
    if not PROVIDERS[name].base_url_variables and name != "azure_openai":
        assert SHAPES[name].variable is None
        return
    monkeypatch.delenv("PROVIDER_SIMULATOR")
    key = key_of(PROVIDERS[name], random.Random(os.urandom(8)))
    monkeypatch.setenv(PROVIDERS[name].variables[0], key)
    provider.keys = {key}
    assert result(more_ai_providers()[name]).status is Status.HEALTHY
    assert provider.received[0] == key


def test_only_what_there_is_a_key_for_is_declared(monkeypatch) -> None:
    assert more_ai_providers() == {}
    monkeypatch.setenv("MISTRAL_API_KEY", "")
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    assert list(more_ai_providers("anthropic", "openai")) == ["mistral"]


def test_its_help_and_its_first_words() -> None:
    command = [sys.executable, "-m", "example_project.provider_simulator"]
    told = subprocess.run([*command, "--help"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    assert all(word in told for word in ("SIMULATOR", "elevenlabs", "no-funds", "/simulate"))
    with subprocess.Popen(
        [*command, "--port", "0", "--key", "a-key"], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    ) as running:
        try:
            line = next(line for line in running.stdout if "PROVIDER_SIMULATOR" in line)
            root = line.strip().partition("=")[2]
            request = urllib.request.Request(f"{root}/voyage/v1/files", headers={"Authorization": "Bearer a-key"})
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            assert json.load(opener.open(request, timeout=10))["data"] == []
        finally:
            running.terminate()
