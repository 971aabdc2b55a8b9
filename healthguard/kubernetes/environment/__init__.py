"""The environment that a manifest gives a container, resolved as the kubelet does it."""
