"""An app of as many models as WIDE_MODELS says, with 20 columns each."""
