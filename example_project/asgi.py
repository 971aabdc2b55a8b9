"""The ASGI application, wrapped by healthguard."""

import os

from django.core.asgi import get_asgi_application

import healthguard.asgi

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "example_project.settings")

application = healthguard.asgi.guard(get_asgi_application())
