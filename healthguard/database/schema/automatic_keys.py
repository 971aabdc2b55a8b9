"""The automatic keys of models, and the columns that hold their values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

from django.apps import AppConfig
from django.db.models import AutoField, Field, ForeignKey, IntegerField, Model

_Key: TypeAlias = "AutoField[Any, Any]"


class AutomaticKeys:
    """The automatic keys of models.

    Args:
        models: the models of all apps, without the automatically created ones.
    """

    def __init__(self, models: Iterable[type[Model]]) -> None:
        # By app and column, because a project can have thousands of models.
        self._keys: dict[tuple[str, str | None], list[_Key]] = {}
        for model in models:
            key = model._meta.pk
            if isinstance(key, AutoField):
                self._keys.setdefault((model._meta.app_label, key.column), []).append(key)
        self._columns: dict[type[Model], frozenset[str]] = {}

    def held_by(self, field: Field[Any, Any]) -> _Key | None:
        """Return the key that ``field`` is, refers to or copies, if DEFAULT_AUTO_FIELD alone decides its type.

        Return None for any other field.
        """
        while isinstance(field, ForeignKey):
            field = field.target_field
        key = field if isinstance(field, AutoField) else self._copied_by(field)
        return key if key is not None and _has_default_type(key) else None

    def _copied_by(self, field: Field[Any, Any]) -> _Key | None:
        """Return the key of another model whose values ``field`` copies, or None.

        Packages that record the history of rows copy a model with its key, which is not automatic in the copy.
        """
        if not isinstance(field, IntegerField):
            return None
        keys = self._keys.get((field.model._meta.app_label, field.column), ())
        if not keys:
            return None
        fields = field.model._meta.local_fields
        parents = {other.remote_field.model for other in fields if isinstance(other, ForeignKey)}
        columns = self._columns_of(field.model)
        for key in keys:
            if key.model is not field.model and (key.model in parents or columns >= self._columns_of(key.model)):
                return key
        return None

    def _columns_of(self, model: type[Model]) -> frozenset[str]:
        columns = self._columns.get(model)
        if columns is None:
            columns = self._columns[model] = frozenset(str(field.column) for field in model._meta.local_concrete_fields)
        return columns


def _has_default_type(key: _Key) -> bool:
    """Return True if neither the model nor its app defines the type of the key, only DEFAULT_AUTO_FIELD.

    This is always so for a many-to-many table, which Django never alters. https://code.djangoproject.com/ticket/32674
    """
    if key.model._meta.auto_created:
        return True
    config = key.model._meta.app_config
    return key.auto_created and config is not None and type(config).default_auto_field is AppConfig.default_auto_field
