"""The key DETAILS_TOKENS of the setting: the bearer tokens with which a request gets details."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

from healthguard.conf.declaration_error import DeclarationError
from healthguard.conf.emptiness import is_blank
from healthguard.secret_values import values
from healthguard.secret_values.placeholders import Nature

MIN_TOKEN_BYTES = 16

_ENTRY = "HEALTHGUARD['DETAILS_TOKENS']"
_LISTS = (list, tuple, set, frozenset)
_MAX_WORDS = 200
# References of shells, Helm, Python, vaults and similar, and the name of a variable instead of its value.
_REFERENCE = re.compile(
    r"\$[({][A-Za-z_]{3}|\{\{\s*[\w.]{3}|%\([A-Za-z_]{3}|#\{[A-Za-z_]{3}|^[<(\[][a-z]+[-_ ][a-z]|^(op|vault|secret|ref\+\w+)://"
    r"|^vault:|^ENC\[|^_*[A-Z][A-Z0-9]*(_+[A-Z0-9]+)+_*$"
)
# Only words of a placeholder. At least one of them must be typical of placeholders.
_WORDS = re.compile(
    r"(?=.*(change|replace|insert|your|please|secret|password|undefined))"
    r"((please|change|replace|insert|put|this|your|my|me|it|now|here|in|a|the|of|at|least|super|very|secret|tokens?|key"
    r"|password|undefined|random|characters|bytes|(?<=[-_. ])\d{1,2}(?=[-_. ]))[-_. ]*)+",
    re.IGNORECASE,
)


def usable_tokens(declared: object) -> tuple[str, ...]:
    """Return the valid tokens among the declared ones."""
    if not isinstance(declared, _LISTS):
        return ()
    return tuple(token for token in declared if not is_blank(token) and _token_flaw(token) is None)


def token_errors(tokens: object) -> Iterator[DeclarationError]:
    """Yield the errors of the declared tokens."""
    if not isinstance(tokens, _LISTS):
        yield DeclarationError("E004", f"{_ENTRY} is not a list.", "Set it to a list of bearer tokens.")
        return
    if any(map(is_blank, tokens)):
        yield DeclarationError(
            "W002",
            f"{_ENTRY} contains an empty token. It is ignored, and gives no access to details.",
            "Set the environment variable that the token comes from, if details must be visible in this environment.",
        )
    for position, flaw in enumerate(None if is_blank(token) else _token_flaw(token) for token in tokens):
        if flaw is not None:
            yield DeclarationError(
                "E005",
                f"{_ENTRY}[{position}] {flaw}. It is ignored, and gives no access to details.",
                "Generate a token with: python -c 'import secrets; print(secrets.token_urlsafe(32))', and check the "
                "Secret that it is mounted from.",
            )


def _token_flaw(token: object) -> str | None:
    """Return the reason why a token is invalid, as the predicate of a sentence about it; None if it is valid."""
    return _text_flaw(token) if isinstance(token, str) else "is not a string"


@functools.lru_cache(maxsize=64)
def _text_flaw(token: str) -> str | None:
    flaw = values.corruption(token, is_token=True) or values.placeholder(token, nature=Nature.LABEL)
    if flaw is not None:
        return flaw.what
    if _REFERENCE.search(token):
        return "contains a reference that was not resolved"
    if len(token) <= _MAX_WORDS and _WORDS.fullmatch(token):
        return "consists only of placeholder words"
    return f"has fewer than {MIN_TOKEN_BYTES} bytes" if len(token) < MIN_TOKEN_BYTES else None
