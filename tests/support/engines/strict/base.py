"""An engine whose driver accepts two options and no others."""

from __future__ import annotations

import sqlite3
from typing import Any, ClassVar

from django.db.backends.sqlite3 import base


class Driver:
    """The driver of SQLite under an unknown name."""

    def __getattr__(self, name: str) -> Any:
        return getattr(sqlite3, name)


class DatabaseWrapper(base.DatabaseWrapper):
    Database: Any = Driver()
    seen: ClassVar[list[dict[str, Any]]] = []

    def get_connection_params(self) -> dict[str, Any]:
        return {"path": self.settings_dict["NAME"], **self.settings_dict["OPTIONS"]}

    def get_new_connection(self, conn_params: dict[str, Any]) -> sqlite3.Connection:
        self.seen.append(conn_params)
        return self._connect(**conn_params)

    def _connect(self, path: str, color: str) -> sqlite3.Connection:
        return sqlite3.connect(path, isolation_level=None)
