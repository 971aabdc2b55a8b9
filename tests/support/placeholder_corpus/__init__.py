"""Placeholders and references as people commit them, by origin."""

from __future__ import annotations

from tests.support.placeholder_corpus.addresses import ADDRESSES
from tests.support.placeholder_corpus.languages import LANGUAGES
from tests.support.placeholder_corpus.passwords import PASSWORDS
from tests.support.placeholder_corpus.placeholders import PLACEHOLDERS
from tests.support.placeholder_corpus.references import REFERENCES
from tests.support.placeholder_corpus.secret_keys import SECRET_KEYS

__all__ = ["ADDRESSES", "PASSWORDS", "SECRETS", "SECRET_KEYS"]

SECRETS: dict[str, list[str]] = {**PLACEHOLDERS, **REFERENCES, **LANGUAGES}
"""The values of variables like ``…_KEY``, ``…_TOKEN``, ``…_SECRET`` and ``SECRET_KEY``, which should be random."""
