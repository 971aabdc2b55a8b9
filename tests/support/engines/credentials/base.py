"""An engine that gets the name of its database when it connects, like engines that get credentials from a vault."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    fetched: ClassVar[dict[str, Any]] = {}

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        return super().get_new_connection({**conn_params, **self.fetched})
