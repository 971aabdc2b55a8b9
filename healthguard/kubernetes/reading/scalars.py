"""The types that Kubernetes gives the scalars of YAML.

Kubernetes reads YAML with sigs.k8s.io/yaml, which uses go-yaml v2: https://github.com/kubernetes-sigs/yaml. It follows
neither YAML 1.1 nor 1.2: ``y`` is a boolean, ``089`` a number, and ``12:30:45`` a text.
"""

from __future__ import annotations

import base64
import math
import re
import struct

from healthguard.kubernetes.reading.nodes import ScalarValue

_STANDARD = "tag:yaml.org,2002:"
MERGE_TAG = f"{_STANDARD}merge"

_TRUE = ("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON")
_FALSE = ("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF")
_NULL = ("", "~", "null", "Null", "NULL")
_WORDS: dict[str, ScalarValue] = {
    **dict.fromkeys(_TRUE, True),
    **dict.fromkeys(_FALSE, False),
    **dict.fromkeys(_NULL),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_SIGNIFICANT = frozenset("+-0123456789.")
"""The first characters of numbers."""
_INTEGER = re.compile(
    r"(?P<sign>[-+]?)(?:0[xX](?P<hexadecimal>[0-9a-fA-F]+)|0[bB](?P<binary>[01]+)|0[oO]?(?P<octal>[0-7]+)"
    r"|(?P<decimal>0|[1-9][0-9]*))"
)
_BASES = {"hexadecimal": 16, "binary": 2, "octal": 8, "decimal": 10}
_SIGNED_BINARY = re.compile(r"0b(?P<sign>[-+])(?P<binary>[01]+)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_FRACTION = re.compile(r"\.[0-9](?:_?[0-9])*(?:[eE][-+]?[0-9](?:_?[0-9])*)?")
"""A number that begins with a point. Here, a ``_`` must be between two digits."""
_TYPES: dict[str, type] = {"bool": bool, "int": int, "float": float, "null": type(None)}
"""The tags of YAML 1.1 that demand a type."""
_MAX_DIGITS = 64
"""The most digits of a 64-bit integer, in base 2. Python refuses to convert texts of more than 4,300 digits."""


def type_plain(text: str) -> ScalarValue:
    """Return the value of a scalar that is written without quotes and without a tag."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _SIGNIFICANT:
        return text
    number = _point_number(text) if text[0] == "." else _number(text.replace("_", ""))
    return text if number is None else number


def type_tagged(tag: str, text: str) -> ScalarValue:
    """Return the value of a scalar with a tag. Tags that are not part of YAML 1.1, such as ``!Ref``, do not matter.

    Raises:
        ValueError: the text is not of the type that the tag names. The message does not contain the text.
    """
    kind = tag.removeprefix(_STANDARD) if tag.startswith(_STANDARD) else ""
    if kind == "binary":
        return _decode_base64(text)
    if kind not in _TYPES:
        return text
    value = type_plain(text)
    if kind == "float" and type(value) is int:
        return float(value)
    if not isinstance(value, _TYPES[kind]) or (kind == "int" and isinstance(value, bool)):
        raise ValueError(f"A value with the tag !!{kind} is not of that type.")
    return value


def convert_key(value: ScalarValue) -> str:
    """Return the name that Kubernetes gives a member whose key is not a text: ``on`` becomes ``true``.

    Raises:
        ValueError: Kubernetes rejects the key. The message does not contain it.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return str(value)
    if isinstance(value, float):
        return _single_precision(value)
    raise ValueError("A key is null." if value is None else "A key is a number above 9223372036854775807.")


def _number(digits: str) -> int | float | None:
    """Return the number that a text without underscores is; None if it is not one."""
    match = _INTEGER.fullmatch(digits) or _SIGNED_BINARY.fullmatch(digits)
    if match is not None:
        integer = _integer(match)
        if integer is not None:
            return integer
    return _finite(digits) if _FLOAT.fullmatch(digits) else None


def _integer(match: re.Match[str]) -> int | None:
    """Return the integer, or None if 64 bits do not hold it."""
    base = str(match.lastgroup)
    digits = match[base].lstrip("0") or "0"
    if len(digits) > _MAX_DIGITS:
        return None
    value = int(match["sign"] + digits, _BASES[base])
    # Go parses an unsigned integer only without a sign.
    return value if -(2**63) <= value < (2**63 if match["sign"] else 2**64) else None


def _point_number(text: str) -> float | None:
    return _finite(text.replace("_", "")) if _FRACTION.fullmatch(text) else None


def _finite(text: str) -> float | None:
    """Return the float, or None if it is too large: Go then reads a text."""
    value = float(text)
    return value if math.isfinite(value) else None


def _decode_base64(text: str) -> str:
    try:
        data = base64.b64decode(text.replace("\r", "").replace("\n", ""), validate=True)
    except ValueError:
        # The text of the exception may contain a part of the value.
        raise ValueError("A value with the tag !!binary is not valid base64.") from None
    return data.decode("utf-8", "replace")


def _single_precision(value: float) -> str:
    """Return the shortest text of a 32-bit float, as Go's ``strconv.FormatFloat(value, 'g', -1, 32)`` does."""
    rounded = _round_to_single(value)
    if math.isnan(rounded):
        return ".nan"
    if math.isinf(rounded):
        return ".inf" if rounded > 0 else "-.inf"
    texts = (f"{rounded:.{digits}e}" for digits in range(9))  # nine digits distinguish all 32-bit floats
    mantissa, _, exponent = next(text for text in texts if _round_to_single(float(text)) == rounded).partition("e")
    if not -4 <= int(exponent) < 6:
        return f"{mantissa}e{exponent}"
    fraction = mantissa.partition(".")[2]
    return f"{rounded:.{max(len(fraction) - int(exponent), 0)}f}"


def _round_to_single(value: float) -> float:
    try:
        return float(struct.unpack("f", struct.pack("f", value))[0])
    except OverflowError:
        return math.copysign(math.inf, value)
