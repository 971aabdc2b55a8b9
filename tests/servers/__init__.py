"""The servers that Django is deployed on, each serving a real site: run with ``make servers``."""
