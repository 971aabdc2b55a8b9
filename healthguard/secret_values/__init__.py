"""Pure rules for the values of secrets: which are empty, corrupted, a placeholder, or safe to show."""
