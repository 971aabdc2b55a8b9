"""The address in a database's settings, as it may be shown: the name, host, port and user, never a password.

A secret may be configured by mistake where a name is expected, and an unescaped character in a password shifts the
parts of a URL. Therefore each part is shown only if it has the form of a name.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from django.conf import settings

from healthguard.secret_values.showable import HIDDEN, is_showable, shown_name, shown_path
from healthguard.status import Evidence

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE)
_MAX_PORT = 65535
_MAX_HOST = 253


def address_of(alias: str) -> dict[str, Evidence]:
    """Return the showable address of ``alias`` from its settings.

    The possible keys are ``name``, ``service`` (of libpq), ``host``, ``port`` and ``user``. For SQLite, the only key is
    ``name``, the name of the file.
    """
    database_settings = settings_of(alias)
    options = database_settings.get("OPTIONS")
    options = options if isinstance(options, Mapping) else {}
    password = str(database_settings.get("PASSWORD") or options.get("password") or "")
    engine = str(database_settings.get("ENGINE", ""))
    name = database_settings.get("NAME") or options.get("dbname") or options.get("database") or options.get("db")
    if "sqlite" in engine or "spatialite" in engine:
        return {"name": _hide_password(password, shown_name(file_name(str(name))))} if name else {}
    address: dict[str, Evidence] = {}
    if name:
        address["name"] = _hide_password(password, shown_name(str(name)))
    if service := options.get("service"):
        address["service"] = _hide_password(password, shown_name(str(service)))
    if host := database_settings.get("HOST") or options.get("host"):
        address["host"] = _hide_password(password, shown_host(str(host)))
    port = str(database_settings.get("PORT") or options.get("port") or "")
    if port.isascii() and port.isdigit() and int(port) <= _MAX_PORT and port != password:
        address["port"] = int(port)
    if user := database_settings.get("USER") or options.get("user"):
        address["user"] = _hide_password(password, shown_name(str(user)))
    return address


def describe_address(address: Mapping[str, Evidence]) -> str:
    """Return ``address`` in parentheses, with a leading space; an empty string if no part of it may be shown."""
    parts = []
    if is_shown(name := address.get("name")):
        parts.append(f"name {name}")
    if is_shown(service := address.get("service")):
        parts.append(f"service {service}")
    if is_shown(host := address.get("host")):
        parts.append(f"host {host}")
    if "port" in address:
        parts.append(f"port {address['port']}")
    if is_shown(user := address.get("user")):
        parts.append(f"user {user}")
    return f" ({', '.join(parts)})" if parts else ""


def is_shown(value: Evidence) -> bool:
    """Return True if a part of an address is present and is not hidden."""
    return value is not None and value != HIDDEN


def settings_of(alias: str) -> Mapping[str, Any]:
    """Return the settings of ``alias``; an empty mapping if they are missing or unreadable."""
    try:
        database_settings = settings.DATABASES[alias]
    except Exception:
        return {}
    return database_settings if isinstance(database_settings, Mapping) else {}


def file_name(name: str) -> str:
    """Return the file name of a SQLite database, without its folder."""
    return os.path.basename(path_of(name))


def path_of(name: str) -> str:
    """Return the path of a SQLite database whose name is a path or a ``file:`` URL."""
    return unquote(urlsplit(name).path) if name.startswith("file:") else name


def shown_host(host: str) -> str:
    """Return one or more hosts, or the folder of a socket, with an ellipsis for each part that may be a secret."""
    if len(host) > _MAX_HOST:
        return HIDDEN
    if host.startswith("/"):
        return shown_path(host) if all(map(_is_showable_segment, host.split("/"))) else HIDDEN
    return ",".join(map(_shown_host, host.split(",")))


def _is_showable_segment(segment: str) -> bool:
    return not segment or is_showable(segment)


def _shown_host(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        pass
    labels = host.rstrip(".").split(".")
    if not all(map(_LABEL.fullmatch, labels)):
        return HIDDEN
    if len(labels) == 1:
        return shown_name(host)
    return ".".join(label if is_showable(label) else "…" for label in labels)


def _hide_password(password: str, text: str) -> str:
    """Return ``text``; ``HIDDEN`` if it is the password or contains it."""
    return HIDDEN if password and (text == password or (len(password) > 5 and password in text)) else text
