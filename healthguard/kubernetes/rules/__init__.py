"""The rules: one function each, one file per subject."""
