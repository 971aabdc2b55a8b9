"""A module a project, named after its distribution: what its documentation says to put into a site's settings."""
