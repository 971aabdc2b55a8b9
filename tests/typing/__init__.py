"""The types of the public names, as a project's own type checker sees them."""
