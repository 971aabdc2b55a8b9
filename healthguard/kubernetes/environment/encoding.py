"""Base64 as the API server reads it in the ``data`` of a Secret."""

from __future__ import annotations

import base64
import re

from healthguard.kubernetes.environment.variables import Variable
from healthguard.kubernetes.reading.nodes import ScalarNode

_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_LINE_BREAKS = str.maketrans("", "", "\r\n")


def decoded(text: str) -> bytes | None:
    """Return the bytes of a base64 text; None if the API server refuses it.

    Go ignores line breaks and requires padding. https://pkg.go.dev/encoding/base64#Encoding.Decode
    """
    text = text.translate(_LINE_BREAKS)
    return base64.b64decode(text) if _BASE64.fullmatch(text) else None


def decoded_text(text: str) -> str | None:
    """Return the text of a base64 text; None if it is not base64, or not UTF-8."""
    content = decoded(text)
    try:
        return None if content is None else content.decode()
    except UnicodeDecodeError:
        return None


def encoded_text(variable: Variable) -> str | None:
    """Return the base64 text from which a variable is decoded, as it is written in the Secret; None if it is not."""
    node = variable.value_node
    return node.value if variable.is_encoded and isinstance(node, ScalarNode) and isinstance(node.value, str) else None
