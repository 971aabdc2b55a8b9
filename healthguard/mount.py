"""Where the project has mounted healthguard: the prefix of its paths, for what answers before the URLconf is asked."""

from __future__ import annotations

import dataclasses
import time
import traceback
from urllib.parse import unquote

from django.core.signals import setting_changed
from django.urls import NoReverseMatch, get_script_prefix, reverse, set_script_prefix

from healthguard.status import Fault, Problem

DEFAULT_PREFIX = "/api/health"

RETRY_SECONDS = 5.0
"""How long a URLconf that cannot be imported is left alone before it is tried again."""


@dataclasses.dataclass(frozen=True, slots=True)
class Mount:
    """The place.

    Args:
        prefix: the path of the health answer, without a last slash.
        has_slash: whether it is mounted with one.
        problem: why the URLconf could not be asked; None when it could.
        tried: when it was asked (``time.monotonic()`` seconds).
    """

    prefix: str
    has_slash: bool = False
    problem: Problem | None = None
    tried: float = 0.0

    def within(self, path: str) -> str | None:
        """What of ``path`` follows the prefix; None where it is not below it.

        Mounted at the root, nothing is: there only the URLconf can tell our paths from the project's.
        """
        if not self.prefix or not path.startswith(self.prefix):
            return None
        rest = path[len(self.prefix) :]
        return rest if not rest or rest[0] == "/" else None


_mount: Mount | None = None


def mount() -> Mount:
    """Where healthguard is mounted, asked of the URLconf once; again after a while if that failed."""
    global _mount
    current = _mount
    if current is not None and (current.problem is None or time.monotonic() - current.tried < RETRY_SECONDS):
        return current
    # Two threads may both look; they find the same.
    _mount = current = _locate()
    return current


def _locate() -> Mount:
    script_prefix = get_script_prefix()
    # The path that is matched is what follows the script's name, which differs between threads and requests.
    set_script_prefix("/")
    try:
        # Paths come decoded, and reverse() encodes them.
        place = unquote(reverse("healthguard:health"))
        return Mount(place.rstrip("/"), place.endswith("/"))
    except NoReverseMatch:
        return Mount(DEFAULT_PREFIX)
    except Exception as error:
        return Mount(DEFAULT_PREFIX, problem=_problem(error), tried=time.monotonic())
    finally:
        set_script_prefix(script_prefix)


def _problem(error: Exception) -> Problem:
    frames = traceback.extract_tb(error.__traceback__)
    return Problem(
        "urlconf_broken",
        Fault.CONFIG,
        f"The URLconf cannot be imported ({type(error).__name__}): the project can answer no request.",
        "Run 'python manage.py check': it shows the traceback.",
        {
            "exception": f"{type(error).__module__}.{type(error).__name__}",
            "at": f"{frames[-1].filename}:{frames[-1].lineno} in {frames[-1].name}",
        },
    )


def _forget(**kwargs: object) -> None:
    global _mount
    _mount = None


setting_changed.connect(_forget)
