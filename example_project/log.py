"""The format of the log."""

from __future__ import annotations

import logging
import time


class UTCFormatter(logging.Formatter):
    """One line per record, with the time in UTC, like the times in the responses."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
