"""The WSGI application, wrapped by healthguard."""

import os

from django.core.wsgi import get_wsgi_application

import healthguard.wsgi

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "example_project.settings")

application = healthguard.wsgi.guard(get_wsgi_application())
