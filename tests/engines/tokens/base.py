"""An engine that adds to the parameters of each connection, as those do that fetch a token for the password."""

from __future__ import annotations

from typing import Any

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    def get_connection_params(self) -> dict[str, Any]:
        return {**super().get_connection_params(), "application_name": "made for this connection"}
