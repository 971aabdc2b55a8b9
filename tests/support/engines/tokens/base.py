"""An engine that adds a parameter to each connection, like engines that get a token to use as the password."""

from __future__ import annotations

from typing import Any

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    def get_connection_params(self) -> dict[str, Any]:
        return {**super().get_connection_params(), "application_name": "made for this connection"}
