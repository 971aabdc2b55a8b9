"""References to a secret that are in a variable instead of the secret itself."""

from __future__ import annotations

import pytest

from healthguard.secret_values.references import reference, takes_path


@pytest.mark.parametrize(
    ("value", "is_reference"),
    [
        ("vault:shop-key", True),
        ("pass:shop/key", True),
        ("op://vault/item/field", True),
        ("pass:Tr0ub4dor9xQ", False),
        ("op:Tr0ub4dor9xQ", False),
        ("op://user@Tr0ub4dor9xQ", False),
    ],
)
def test_password_may_begin_with_a_short_scheme(value: str, is_reference: bool) -> None:
    """Schemes of at most four letters count only in front of a path."""
    assert (reference(value) is not None) is is_reference


@pytest.mark.parametrize(
    ("name", "value", "is_valid"),
    [
        ("JWT_PRIVATE_KEY", "/etc/keys/jwt.pem", True),
        ("JWT_PRIVATE_KEY", "C:\\keys\\jwt.pem", True),
        ("JWT_PRIVATE_KEY", "jwt.pem", False),
        ("JWT_PRIVATE_KEY", "/etc/keys/jwt", False),
        ("GOOGLE_APPLICATION_CREDENTIALS", "/etc/keys/gcp", True),
        ("GOOGLE_APPLICATION_CREDENTIALS", "gcp", False),
        ("API_KEY", "/etc/keys/jwt.pem", False),
    ],
)
def test_path_is_valid_in_a_variable_whose_file_libraries_read(name: str, value: str, is_valid: bool) -> None:
    assert takes_path(name, value) is is_valid
