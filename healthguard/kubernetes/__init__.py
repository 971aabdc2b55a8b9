"""Kubernetes manifests against the requirements of a declaration. Nothing here imports Django."""
