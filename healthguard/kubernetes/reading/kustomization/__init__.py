"""A folder with a kustomization: its files, and from which of them a rendered object comes."""
