"""The formats that turn an examination into text, one module per format."""
