"""The way from an HTTP request to a response, without a web framework: handler, authorization, mount point."""
