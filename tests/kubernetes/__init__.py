"""The tests of the check of Kubernetes manifests."""
