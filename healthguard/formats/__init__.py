"""A report as bytes, a file a format. They see no request."""
