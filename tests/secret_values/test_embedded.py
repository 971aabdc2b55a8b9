"""The secrets inside a declared URL or JSON body."""

from __future__ import annotations

import random

import pytest

from healthguard.secret_values.embedded import json_flaw, url_flaw
from healthguard.secret_values.values import ValueFault
from tests.support.keys import maker
from tests.support.random_values import ALNUM, URLSAFE, Make

EMPTY, CORRUPTED, PLACEHOLDER = ValueFault.EMPTY, ValueFault.CORRUPTED, ValueFault.PLACEHOLDER

UNUSABLE = {
    "https://monitor:$(MONITOR_PASSWORD)@h/x": CORRUPTED,
    "https://monitor:${MONITOR_PASSWORD}@h/x": PLACEHOLDER,
    "https://monitor:changeme@h/x": PLACEHOLDER,
    "https://monitor:<password>@h/x": PLACEHOLDER,
    "https://monitor:xxxxxxxx@h/x": PLACEHOLDER,
    "https://monitor:@h/x": EMPTY,
    "https://monitor:hunter2%0A@h/x": CORRUPTED,
    "https://$(TOKEN)@h/x": CORRUPTED,
    "https://h/x?token=$(TOKEN)": CORRUPTED,
    "/x?a=1&api-key=": EMPTY,
    "/x?apiKey=your-api-key": PLACEHOLDER,
    "/x?key=$(LOOKUP_KEY)": CORRUPTED,
    "/x?access_token=undefined": PLACEHOLDER,
    "https://h/$(TENANT)/x": CORRUPTED,
    "https://h/${TENANT}/x": CORRUPTED,
    "https://h/<your-token>": PLACEHOLDER,
    "https://h/<api-key>": PLACEHOLDER,
}
USABLE = [
    "https://user:hunter2@h/x",
    "https://user:p%40ss%2Fw0rd%3F@h/x",
    "https://user:p$(w)rd@h/x",
    "https://admin:admin@h/x",
    "https://user@h/x",
    "https://[::1]:8000/x",
    "https://sk_live_4eC39HqLyjWDarjtT1zdp7dc:@h/x",
    "/x?token=abc",
    "/x?token=true",
    "/x?token=ab+cd/ef==",
    "/x?api_key=DEMO_KEY",
    "/x?key=",
    "/x?key=uploads/report.json",
    "/x?page_token=&sort_key=",
    "/x?filter=${name}&$select=id",
    "/things/{id}/{thing_id}",
    "/things/<int:pk>/$metadata",
    "/things/xxxxxxxx",
    "/things/gr%C3%BCn",
]
UNUSABLE_SECRETS = {
    "mailto://ops:$(SMTP_PASSWORD)@example.com": CORRUPTED,
    "mailto://ops:changeme@example.com": PLACEHOLDER,
    "mailto://ops:@example.com": EMPTY,
    "json://h/?token=<your-token>": PLACEHOLDER,
    "jsons://h/?+X-Token=changeme": PLACEHOLDER,
    "slack://$(TOKEN_A)/$(TOKEN_B)/$(TOKEN_C)": CORRUPTED,
    "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX": PLACEHOLDER,
    "https://hc-ping.com/<uuid>": PLACEHOLDER,
    "$(SLACK_URL)": CORRUPTED,
    "op://vault/slack/url": CORRUPTED,
    "'slack://a/b/c'": CORRUPTED,
}
USABLE_SECRETS = [
    "slack://bot@T024BE7LH/A1BRTD4JD/Vq3zN8rT5wXb7Yc2KdLm9Pf4/#general",
    "mailtos://USER:PASSWORD@example.com?smtp=mail.example.com&to=oncall@example.com",
    "pagerduty://INTEGRATION_KEY@API_KEY?action=map&dedup=shop-production",
    "tgram://123456789:Vq3zN8rT5wXb7Yc2KdLm9Pf4/1234",
    "ntfy://todo",
    "json://user:hunter2@127.0.0.1:80/path",
    "https://hc-ping.com/5c2b1c5e-4e1a-4a9f-8a3b-9f1f0f7c3e2d",
]


@pytest.mark.parametrize("url", UNUSABLE)
def test_unusable_secret_in_a_url_is_a_flaw(url: str) -> None:
    flaw = url_flaw(url)
    assert flaw is not None
    assert flaw.kind is UNUSABLE[url]
    assert "hunter2" not in flaw.what + flaw.remedy


@pytest.mark.parametrize("url", USABLE)
def test_usable_url_has_no_flaw(url: str) -> None:
    assert url_flaw(url) is None


@pytest.mark.parametrize("url", UNUSABLE_SECRETS)
def test_unusable_secret_url_is_a_flaw(url: str) -> None:
    flaw = url_flaw(url, is_secret=True)
    assert flaw is not None
    assert flaw.kind is UNUSABLE_SECRETS[url]


@pytest.mark.parametrize("url", USABLE_SECRETS)
def test_usable_secret_url_has_no_flaw(url: str) -> None:
    assert url_flaw(url, is_secret=True) is None


@pytest.mark.parametrize("make", [maker(f"{ALNUM}{{24}}"), maker(f"{URLSAFE}{{43}}")], ids=["letters", "urlsafe"])
def test_random_secret_has_no_flaw(make: Make) -> None:
    """No random secret is mistaken for a placeholder, at any place."""
    rng = random.Random(1)
    secrets = [make(rng) for _ in range(500)]
    urls = [f"json://{secret}:{secret}@{secret}/{secret}?token={secret}" for secret in secrets]
    assert [url for url in urls if url_flaw(url, is_secret=True) is not None] == []
    assert [secret for secret in secrets if json_flaw({"api_key": secret}) is not None] == []


@pytest.mark.parametrize(
    "document",
    [
        {"api_key": "$(API_KEY)"},
        {"client": [{"clientSecret": "changeme"}]},
        {"x-api-key": ["${API_KEY}"]},
        {"password": ""},
    ],
)
def test_unusable_secret_in_json_is_a_flaw(document: object) -> None:
    assert json_flaw(document) is not None


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "$(API_KEY)",
        {"query": "{{ name }} ${name}"},
        {"key": "", "page_token": ""},
        {"token": None, "secret": 5, "password": "hunter2"},
    ],
)
def test_usable_json_has_no_flaw(document: object) -> None:
    assert json_flaw(document) is None


def test_json_that_contains_itself_is_searched_to_a_limited_depth() -> None:
    loop: dict[str, object] = {}
    loop["again"] = loop
    assert json_flaw(loop) is None
