"""The service of the story: it vends credentials of AI providers to customers, and healthguard guards it."""
