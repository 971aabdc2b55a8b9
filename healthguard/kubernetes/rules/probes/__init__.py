"""Rules on probes, hooks and the shutdown of a container."""
