"""The example project: a service that vends credentials of AI providers to customers, checked by healthguard."""
