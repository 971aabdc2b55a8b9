"""What healthguard costs, measured beside what it is compared with: ``python -m tests.benchmarks``."""
