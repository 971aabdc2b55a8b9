"""An app with WIDE_MODELS models of 20 columns each."""
