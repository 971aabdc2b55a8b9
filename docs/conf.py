"""Sphinx's settings."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from healthguard.version import __version__ as release  # noqa: F401

project = "healthguard"
copyright = "the healthguard authors"
extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = "healthguard"
exclude_patterns = ["_build"]
