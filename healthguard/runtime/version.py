"""The version of healthguard.

It is not in ``healthguard/__init__.py`` alone, because another distribution may have replaced that file (see the system
check ``healthguard.W004``).
"""

__version__ = "0.1.0"
