"""The benchmarks of healthguard and of the tools that it is compared with: ``python -m tests.benchmarks``."""
