"""The formats that turn a report into bytes, one module per format. They do not depend on a request."""
