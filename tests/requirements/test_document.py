"""The JSON file of requirements: its content, and the errors of files that are not valid."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from healthguard.checks import AIProviderKey, DatabaseName, EnvironmentVariable, SecretKey
from healthguard.providers import PROVIDERS, Provider
from healthguard.requirements import Requirement, Requirements, VariableRequirement
from healthguard.requirements.document import MAX_BYTES, from_json, read_requirements, to_json
from healthguard.requirements.fields import RequirementsError

OWN = Provider(
    name="llm",
    title="LLM",
    variables=("LLM_KEY",),
    base_url="https://user:Zr2mVx7Lk4Tn9@llm.internal/v1",
    base_url_variables=("LLM_URL",),
    skips_empty=True,
    is_gateway=True,
    formats=("llm-[a-z]{8}",),
    prefixes=("llm-",),
)
CHECKS = [
    EnvironmentVariable("SHOP_TOKEN"),
    EnvironmentVariable(
        "SHOP_LEVEL", re.compile("^(debug|info)$", re.IGNORECASE), min_bytes=0, allow=["Zr2mVx7Lk4Tn9"]
    ),
    SecretKey(env="SECRET_KEY"),
    SecretKey(64, env="OTHER_SECRET_KEY"),
    DatabaseName("shop", env="DATABASE_URL"),
    DatabaseName("replica", alias="replica", env="REPLICA_URL"),
    AIProviderKey("anthropic"),
    AIProviderKey("openai", key="SHOP_OPENAI_KEY", verify=False),
    AIProviderKey(OWN),
]
ALL = Requirements(
    tuple(requirement for check in CHECKS for requirement in check.needs()), ("api/health",), 0.5, "/tmp/drain"
)
VALID: dict[str, Any] = {"version": 1, "deadline": 0.8, "variables": []}


def by_name(requirements: Requirements) -> list[Requirement]:
    return sorted(requirements.variables, key=lambda requirement: requirement.names)


def entry(**options: Any) -> dict[str, Any]:
    return {**VALID, "variables": [{"kind": "variable", "names": ["SHOP_TOKEN"], **options}]}


def test_requirements_survive_the_file() -> None:
    """A requirement that was read judges like the one that was written."""
    read = from_json(to_json(ALL))
    assert by_name(read) == by_name(ALL)
    assert (read.mount_paths, read.deadline, read.drain_file) == (("api/health",), 0.5, "/tmp/drain")


def test_file_contains_no_secret() -> None:
    """Allowed values are digests, and the URL of a provider is left out."""
    assert "Zr2mVx7Lk4Tn9" not in to_json(ALL)


def test_text_does_not_depend_on_the_order_of_the_declaration() -> None:
    """A change of the declaration changes only its own lines."""
    reverse = Requirements(ALL.variables[::-1], ALL.mount_paths, ALL.deadline, ALL.drain_file)
    assert to_json(reverse) == to_json(ALL)


def test_text_is_readable_in_a_diff() -> None:
    """There is one field per line, sorted, without options that have their default value."""
    requirement = VariableRequirement(("SHOP_TOKEN",), "shop: EnvironmentVariable", pattern="^sk_")
    assert to_json(Requirements((requirement,))).splitlines() == [
        "{",
        '  "deadline": 0.8,',
        '  "drain_file": null,',
        '  "mount_paths": [],',
        '  "variables": [',
        "    {",
        '      "declared_by": "shop: EnvironmentVariable",',
        '      "kind": "variable",',
        '      "names": [',
        '        "SHOP_TOKEN"',
        "      ],",
        '      "pattern": "^sk_"',
        "    }",
        "  ],",
        '  "version": 1',
        "}",
    ]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_provider_of_the_catalog_is_written_as_its_name(provider: str) -> None:
    """Its data is in each version of healthguard."""
    (requirement,) = AIProviderKey(provider).needs()
    text = to_json(Requirements((requirement,)))
    assert json.loads(text)["variables"][0]["provider"] == provider
    assert from_json(text).variables == (requirement,)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "f.json, line 1, is not valid JSON."),
        ('{\n "version": 1,\n oops}', "f.json, line 3, is not valid JSON."),
        ("[]", "f.json must be an object"),
        ("{}", "f.json: version is missing."),
        ('{"version": 1, "version": 1}', "f.json has an object with two fields of the same name."),
        ('{"version": NaN}', "f.json contains NaN, which is not JSON."),
        ("[" * 100_000, "f.json is nested too deeply."),
        ('{"version": ' + "1" * 5000 + "}", "f.json contains a number that is too long."),
        (" " * (MAX_BYTES + 1), "f.json is larger than 1000 kB"),
    ],
)
def test_text_that_is_not_such_a_file_is_rejected(text: str, error: str) -> None:
    """The error names the file, and the line if there is one."""
    with pytest.raises(RequirementsError, match=re.escape(error)):
        from_json(text, "f.json")


@pytest.mark.parametrize(
    ("document", "error"),
    [
        ({**VALID, "version": 2}, "f.json: version must be 1"),
        ({**VALID, "version": True}, "f.json: version must be 1"),
        ({**VALID, "deadline": "1"}, "f.json: deadline must be a number of seconds above 0."),
        ({**VALID, "deadline": 0}, "f.json: deadline must be a number of seconds above 0."),
        ({**VALID, "deadline": 10**400}, "f.json: deadline must be a number of seconds above 0."),
        ({**VALID, "drain_file": 1}, "f.json: drain_file must be a string or null."),
        ({**VALID, "mount_paths": ["/api"]}, "f.json: mount_paths must not have slashes"),
        ({**VALID, "mount_paths": "api"}, "f.json: mount_paths must be a list of strings."),
        ({**VALID, "variables": {}}, "f.json: variables must be a list."),
        ({**VALID, "more": 1}, "f.json has 1 unknown field."),
        ({**VALID, "variables": [1]}, "f.json: variables[0] must be an object"),
        (entry(kind="file"), "f.json: variables[0]: kind must be one of"),
        (entry(names=[]), "f.json: variables[0]: names must contain at least one variable."),
        (entry(names=["A=B"]), "f.json: variables[0]: names must contain only names"),
        (entry(names=[1]), "f.json: variables[0]: names must be a list of strings."),
        (entry(pattern="("), "f.json: variables[0]: pattern must be a regular expression."),
        (entry(flags=["LOCALE"]), "f.json: variables[0]: flags must contain only"),
        (entry(min_bytes=1.5), "f.json: variables[0]: min_bytes must be a whole number."),
        (entry(min_bytes=True), "f.json: variables[0]: min_bytes must be a whole number."),
        (entry(allow_sha256=["demo"]), "f.json: variables[0]: allow_sha256 must contain only SHA-256 digests"),
        (entry(min_byte=1), "f.json: variables[0] has 1 unknown field."),
        (entry(kind="database"), "f.json: variables[0]: database is missing."),
        (entry(kind="database", database=""), "f.json: variables[0]: database must not be empty."),
        (entry(kind="key"), "f.json: variables[0]: provider is missing."),
        (entry(kind="key", provider="nobody"), "f.json: variables[0]: provider is not an AI provider that this"),
        (entry(kind="key", provider=1), "f.json: variables[0]: provider must be an object"),
        (entry(kind="key", provider={}), "f.json: variables[0]: provider: name is missing."),
        (entry(kind="key", provider={"name": "x", "formats": ["("]}), "provider: formats must contain only regular"),
        (
            entry(kind="key", provider="openai", is_verified=0),
            "f.json: variables[0]: is_verified must be true or false.",
        ),
    ],
)
def test_invalid_field_is_named(document: dict[str, Any], error: str) -> None:
    """The error names the file and the field, and shows no value."""
    with pytest.raises(RequirementsError, match=re.escape(error)):
        from_json(json.dumps(document), "f.json")


class OwnRequirement(VariableRequirement):
    """A requirement of a class of its own."""


@pytest.mark.parametrize(
    ("requirement", "error"),
    [
        (OwnRequirement(("SHOP_TOKEN",)), "of the class OwnRequirement cannot be written"),
        (VariableRequirement(("SHOP TOKEN",)), "names must contain only names of environment variables"),
        (VariableRequirement(()), "names must contain at least one variable"),
        (VariableRequirement(("SHOP_TOKEN",), pattern="("), "pattern must be a regular expression"),
    ],
)
def test_requirement_that_could_not_be_read_is_not_written(requirement: Requirement, error: str) -> None:
    """A check of the project may state anything."""
    with pytest.raises(RequirementsError, match=error):
        to_json(Requirements((requirement,)))


def test_file_with_other_line_ends_is_read(tmp_path: Path) -> None:
    """Git may convert line ends, and an editor may write a byte-order mark."""
    file = tmp_path / "f.json"
    file.write_bytes(b"\xef\xbb\xbf" + to_json(ALL).replace("\n", "\r\n").encode())
    assert by_name(read_requirements(str(file))) == by_name(ALL)


def test_file_that_is_too_large_is_not_read_completely(tmp_path: Path) -> None:
    """A sparse file of 50 GB takes no memory."""
    file = tmp_path / "f.json"
    with file.open("wb") as stream:
        stream.truncate(50_000_000_000)
    with pytest.raises(RequirementsError, match="larger than 1000 kB"):
        read_requirements(str(file))


def test_named_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """A pipe without a writer would block for ever."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RequirementsError, match="is not a regular file"):
        read_requirements(str(tmp_path / "pipe"))


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("absent.json", "does not exist"),
        (".", "cannot be read|not a regular file"),
        ("a\0b", "cannot be read"),
        ("x.json", "is not UTF-8"),
    ],
)
def test_file_that_cannot_be_read_is_named(name: str, error: str, tmp_path: Path) -> None:
    """The error names the reason."""
    (tmp_path / "x.json").write_bytes(b"\xff\xfe")
    with pytest.raises(RequirementsError, match=error):
        read_requirements(f"{tmp_path}/{name}")
