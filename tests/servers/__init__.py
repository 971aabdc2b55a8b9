"""Tests of the servers that Django is deployed on, each serving a real site; run them with ``make servers``."""
