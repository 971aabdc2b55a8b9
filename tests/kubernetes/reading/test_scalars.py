"""The types of scalars: a table of cases, which kubectl confirms where it is installed."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from healthguard.kubernetes.reading.scalars import convert_key, type_plain, type_tagged
from tests.kubernetes.reading.kubectl import read_with_kubectl

YAML_1_1 = "tag:yaml.org,2002:"
BOOLEANS: dict[str, Any] = {
    **dict.fromkeys(["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"], True),
    **dict.fromkeys(["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"], False),
}
INTEGERS = {
    "0": 0, "-0": 0, "00": 0, "1": 1, "+1": 1, "-1": -1, "1_000": 1000, "1_": 1, "1__0": 10, "-_1": -1, "0x1F": 31,
    "0X1f": 31, "0x1_f": 31, "0_x1F": 31, "-0x1F": -31, "017": 15, "0_17": 15, "+017": 15, "-017": -15, "0o17": 15,
    "0O17": 15, "-0o17": -15, "0b101": 5, "0B1": 1, "-0b1": -1, "+0b1": 1, "0b-1": -1, "0b+1": 1, "0b1_1": 3,
    "9007199254740993": 9007199254740993, "9223372036854775807": 9223372036854775807,
    "-9223372036854775808": -9223372036854775808, "18446744073709551615": 18446744073709551615,
}  # fmt: skip
FLOATS = {
    "089": 89.0, "08.5": 8.5, "1e3": 1000.0, "1E3": 1000.0, "1e+3": 1000.0, "1_e3": 1000.0, "1e3_": 1000.0,
    "-1E-3": -0.001, "1.": 1.0, "1.e3": 1000.0, "1.5": 1.5, "1.5_0": 1.5, ".5": 0.5, ".5_0": 0.5, ".5e3_0": 5e29,
    "-.5": -0.5, "+.5": 0.5, ".1e3": 100.0, "0.0": 0.0, "1e-400": 0.0, "18446744073709551616": 18446744073709551616.0,
    "-9223372036854775809": -9223372036854775809.0, "+9223372036854775808": 9223372036854775808.0,
}  # fmt: skip
TEXTS = [
    "nUll", "tRue", "yEs", "oN", "~x", "<<", "=", "+", "+-1", "+_", ".", "..", "._", "._5", ".1_", ".1__2", ".e3",
    ".5.", "5.5.5", "1e", "1e999", ".5e999", "0x", "0b", "0b2", "0o8", "0x1p3", ".0x1p3", "0xFFFFFFFFFFFFFFFF0",
    "12:30:45", "190:20:30", "2020-01-01", "2001-12-14t21:59:43.10-05:00", "1.2.3", "10Gi", "250m", "v1", "_1", "١٢",
    "postgres://u:p@h/d", "0x_g", "-0b-1",
]  # fmt: skip
NULLS = dict.fromkeys(["~", "null", "Null", "NULL"])
PLAIN: dict[str, Any] = {**BOOLEANS, **INTEGERS, **FLOATS, **{text: text for text in TEXTS}, **NULLS}
KEYS = {
    "on": "true", "n": "false", "0o17": "15", "1e3": "1000", "1.5": "1.5", "1e6": "1e+06", "123456.0": "123456",
    "1234567.0": "1.234567e+06", "12345678.5": "1.2345678e+07", "0.0001": "0.0001", "0.00001": "1e-05",
    "16777217.0": "1.6777216e+07", "3.14159265358979": "3.1415927", "-1.5": "-1.5", "-0.0": "-0", "1e40": ".inf",
    "3.4028235e38": "3.4028235e+38", "-1e40": "-.inf", "2020-01-01": "2020-01-01", "name": "name",
}  # fmt: skip
OBJECT = "apiVersion: example.com/v1\nkind: Example\nmetadata: {name: x}\nspec:\n"
"""An object of a kind that kubectl does not know, so that it keeps the types as they are."""


@pytest.mark.parametrize(("text", "value"), PLAIN.items())
def test_plain_scalar_is_typed_as_kubernetes_types_it(text: str, value: object) -> None:
    """The type counts as well as the value: True is not 1."""
    typed = type_plain(text)
    assert (type(typed), typed) == (type(value), value)


def test_empty_scalar_is_null() -> None:
    assert type_plain("") is None


@pytest.mark.parametrize(
    ("text", "value"), [(".inf", math.inf), ("+.Inf", math.inf), ("-.INF", -math.inf), (".nan", math.nan)]
)
def test_infinity_and_nan_are_floats(text: str, value: float) -> None:
    assert str(type_plain(text)) == str(value)


@pytest.mark.parametrize(
    "number", ["9" * 100_000, f"0x{'f' * 100_000}", f"0b{'1' * 100_000}", f"1.{'1' * 100_000}e999"]
)
def test_number_that_no_type_holds_is_text(number: str) -> None:
    """Python refuses to convert an integer of more than 4,300 digits, and Go one that 64 bits do not hold."""
    assert type_plain(number) == number


@pytest.mark.parametrize(
    ("tag", "text", "value"),
    [
        ("str", "1", "1"),
        ("str", "", ""),
        ("int", "1", 1),
        ("float", "1", 1.0),
        ("float", "1.5", 1.5),
        ("bool", "yes", True),
        ("null", "", None),
        ("binary", "aGVs\nbG8=", "hello"),
        ("binary", "/w==", "\N{REPLACEMENT CHARACTER}"),
        ("timestamp", "2020-01-01", "2020-01-01"),
        ("python/object/apply:os.system", "1", "1"),
    ],
)
def test_standard_tag_decides_the_type(tag: str, text: str, value: object) -> None:
    typed = type_tagged(YAML_1_1 + tag, text)
    assert (type(typed), typed) == (type(value), value)


@pytest.mark.parametrize("tag", ["!", "!Ref", "!int", "tag:example.com,2000:int"])
def test_scalar_with_a_tag_of_others_is_text(tag: str) -> None:
    assert type_tagged(tag, "12") == "12"


@pytest.mark.parametrize("tag", ["int", "float", "bool", "null", "binary"])
def test_text_that_contradicts_its_tag_is_rejected_without_showing_it(tag: str) -> None:
    with pytest.raises(ValueError) as caught:
        type_tagged(YAML_1_1 + tag, "s3cret!")
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_boolean_is_not_an_integer() -> None:
    with pytest.raises(ValueError, match="!!int"):
        type_tagged(f"{YAML_1_1}int", "yes")


@pytest.mark.parametrize(("text", "name"), KEYS.items())
def test_key_becomes_text_as_in_kubernetes(text: str, name: str) -> None:
    assert convert_key(type_plain(text)) == name


@pytest.mark.parametrize("text", ["~", "", "18446744073709551615"])
def test_key_that_kubernetes_rejects_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="A key is"):
        convert_key(type_plain(text))


def test_kubectl_types_plain_scalars_in_the_same_way(tmp_path: Path) -> None:
    """The table above is right."""
    read = read_with_kubectl(OBJECT + "".join(f"- {text}\n" for text in PLAIN), tmp_path)
    assert dict(zip(PLAIN, read["spec"], strict=True)) == pytest.approx(PLAIN)


def test_kubectl_converts_keys_in_the_same_way(tmp_path: Path) -> None:
    """The table above is right."""
    read = read_with_kubectl(OBJECT + "".join(f"- {text}: 1\n" for text in KEYS), tmp_path)
    assert dict(zip(KEYS, read["spec"], strict=True)) == {text: {name: 1} for text, name in KEYS.items()}
