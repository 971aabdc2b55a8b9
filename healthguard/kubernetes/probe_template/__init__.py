"""The probes and hooks that fit a declaration, as a part of a manifest or a Dockerfile."""
