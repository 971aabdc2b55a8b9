"""The Django system checks of the declaration, the middleware order, the URLs and the installed distributions."""
