"""Engines for Django, as other packages write them."""
