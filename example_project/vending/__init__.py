"""Customers exchange their API key for a short-lived credential of an AI provider."""
