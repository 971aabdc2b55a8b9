"""The last defense against secrets in the output: a value may be written where a name is expected.

Findings contain no values, but names: of variables, keys, fields and rules. In a manifest with swapped fields, or with
``- name: SECRET_KEY=…`` in env, such a name is a secret.
"""

from __future__ import annotations

import dataclasses
import functools
import re

from healthguard.kubernetes.findings import Finding
from healthguard.secret_values.showable import is_showable

_WORD = re.compile(r"[\w.$-]+")
_END = ".-"
_HASH = re.compile(r"(-[2456789bcdfghjklmnpqrstvwxz]{8,10})?(-[2456789bcdfghjklmnpqrstvwxz]{5})?\Z")
"""The suffixes of generated names, from the alphabet of k8s.io/apimachinery/pkg/util/rand."""
_HIDDEN = "…"
_CACHED_WORDS = 4096


def redact_finding(finding: Finding) -> Finding:
    """Return a finding without words that may be secrets. Its object and its container keep their names."""
    variable = redact(finding.variable.partition("=")[0])
    return dataclasses.replace(
        finding,
        rule=redact(finding.rule),
        message=redact(_without_value(finding.message, finding.variable)),
        remedy=redact(_without_value(finding.remedy, finding.variable)),
        variable=variable,
    )


def _without_value(text: str, variable: str) -> str:
    """Return a text in which ``NAME=VALUE``, written as the name of a variable, is only the name."""
    name, separator, _ = variable.partition("=")
    return text.replace(variable, name) if separator else text


def redact(text: str) -> str:
    """Return a text with an ellipsis for each word that is neither a word of a language nor a plain name."""
    return _WORD.sub(_shown, text)


def _shown(match: re.Match[str]) -> str:
    word = match[0].rstrip(_END)
    return match[0] if _is_shown(word) else _HIDDEN + match[0][len(word) :]


@functools.lru_cache(_CACHED_WORDS)
def _is_shown(word: str) -> bool:
    return is_showable(_HASH.sub("", word, count=1)) or not word
