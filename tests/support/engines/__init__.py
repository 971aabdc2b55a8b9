"""Database engines for Django, like those in other packages."""
