"""An app in which customers exchange their API key for a short-lived credential of an AI provider."""
