"""An engine that sets the search_path once per connection and resets that state in close(), as django-tenants does."""

from __future__ import annotations

from typing import Any

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    is_set = False

    def close(self) -> None:
        self.is_set = False
        super().close()

    def _cursor(self, name: str | None = None) -> Any:
        cursor = super()._cursor(name)  # type: ignore[misc]
        if not self.is_set:
            self.is_set = True
            cursor.execute("SET search_path = tenant")
        return cursor
