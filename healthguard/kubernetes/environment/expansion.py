"""References like ``$(NAME)`` in a literal value, as the kubelet reads them.

The syntax is that of k8s.io/kubernetes/third_party/forked/golang/expansion.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

_DOLLARS = re.compile(r"\$\$+(?![$(])")
_DOUBLED = 4


@dataclasses.dataclass(frozen=True, slots=True)
class Token:
    """A part of a literal value.

    Args:
        text: the part as the container gets it if it is a plain text, or a reference that is not resolved.
        name: the name in a reference; None for a plain text.
    """

    text: str = dataclasses.field(repr=False)
    name: str | None = None


def tokens(value: str) -> Iterator[Token]:
    """Yield the plain texts and the references of a literal value, in order."""
    plain: list[str] = []
    position = 0
    last_end = value.rfind(")")
    while (dollar := value.find("$", position)) >= 0:
        plain.append(value[position:dollar])
        following = value[dollar + 1 : dollar + 2]
        # Without the comparison, a value with many references that are not closed would take quadratic time.
        end = value.find(")", dollar + 2) if following == "(" and dollar + 2 <= last_end else -1
        if end >= 0:
            if text := "".join(plain):
                yield Token(text)
            plain = []
            yield Token(value[dollar : end + 1], value[dollar + 2 : end])
            position = end + 1
        else:
            # "$$" is an escaped dollar sign; any other sign after a dollar stays with it.
            plain.append("$" if following == "$" else f"${following}")
            position = dollar + 1 + len(following)
    plain.append(value[position:])
    if text := "".join(plain):
        yield Token(text)


def has_escaped_dollar(value: str) -> bool:
    """Return True if the kubelet turns a ``$$`` in a literal value into ``$``, and that is probably not intended.

    ``$$(NAME)`` is the documented way to write a literal ``$(NAME)``. Four dollar signs are two that were doubled.
    """
    return any(len(run[0]) % _DOUBLED for run in _DOLLARS.finditer(value))
