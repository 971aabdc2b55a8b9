"""The place that a database's settings lead to, as it may be shown: its name, host, port and user, never a password.

People put a secret in the place of a name, and a password with an unescaped character shifts the parts of a URL. So
each part is shown only if it has the form of a name.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from django.conf import settings

from healthguard.declared import HIDDEN, is_showable, shown_name, shown_path
from healthguard.status import Evidence

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE)
_MAX_PORT = 65535
_MAX_HOST = 253


def place_of(alias: str) -> dict[str, Evidence]:
    """Return what the settings of ``alias`` name that may be shown: ``name``, and ``host``, ``port`` and ``user``."""
    found = settings_of(alias)
    options = found.get("OPTIONS")
    options = options if isinstance(options, Mapping) else {}
    password = str(found.get("PASSWORD") or options.get("password") or "")
    engine = str(found.get("ENGINE", ""))
    name = found.get("NAME") or options.get("dbname") or options.get("database") or options.get("db")
    if "sqlite" in engine or "spatialite" in engine:
        return {"name": _hidden_if(password, shown_name(file_name(str(name))))} if name else {}
    place: dict[str, Evidence] = {}
    if name:
        place["name"] = _hidden_if(password, shown_name(str(name)))
    if service := options.get("service"):
        place["service"] = _hidden_if(password, shown_name(str(service)))
    if host := found.get("HOST") or options.get("host"):
        place["host"] = _hidden_if(password, shown_host(str(host)))
    port = str(found.get("PORT") or options.get("port") or "")
    if port.isascii() and port.isdigit() and int(port) <= _MAX_PORT and port != password:
        place["port"] = int(port)
    if user := found.get("USER") or options.get("user"):
        place["user"] = _hidden_if(password, shown_name(str(user)))
    return place


def described(place: Mapping[str, Evidence]) -> str:
    """Return ``place`` as it stands in brackets in a sentence; empty if nothing of it may be shown."""
    parts = []
    if _is_known(name := place.get("name")):
        parts.append(f"name {name}")
    if _is_known(service := place.get("service")):
        parts.append(f"service {service}")
    if _is_known(host := place.get("host")):
        parts.append(f"host {host}")
    if "port" in place:
        parts.append(f"port {place['port']}")
    if _is_known(user := place.get("user")):
        parts.append(f"user {user}")
    return f" ({', '.join(parts)})" if parts else ""


def _is_known(value: Evidence) -> bool:
    return value is not None and value != HIDDEN


def settings_of(alias: str) -> Mapping[str, Any]:
    """Return the settings of ``alias``; empty if there are none that can be read."""
    try:
        found = settings.DATABASES[alias]
    except Exception:
        return {}
    return found if isinstance(found, Mapping) else {}


def file_name(name: str) -> str:
    """Return the last part of the path of a SQLite database."""
    return os.path.basename(path_of(name))


def path_of(name: str) -> str:
    """Return the path of a SQLite database, which may be given as a URL."""
    return unquote(urlsplit(name).path) if name.startswith("file:") else name


def shown_host(host: str) -> str:
    """Return a host, several, or the folder of a socket, with an ellipsis for each part that may be a secret."""
    if len(host) > _MAX_HOST:
        return HIDDEN
    if host.startswith("/"):
        return shown_path(host) if all(map(_is_part_of_path, host.split("/"))) else HIDDEN
    return ",".join(map(_shown_host, host.split(",")))


def _is_part_of_path(part: str) -> bool:
    return not part or is_showable(part)


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


def _hidden_if(password: str, text: str) -> str:
    """Return ``text``, or that it is not shown if it is the password, or contains it."""
    return HIDDEN if password and (text == password or (len(password) > 5 and password in text)) else text
