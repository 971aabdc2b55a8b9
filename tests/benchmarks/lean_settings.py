"""A project of nothing but the apps in APPS, on the database in DATABASE_URL."""

import os

import dj_database_url

if os.environ["DATABASE_URL"].startswith("mysql:"):
    import pymysql

    # Django asks for mysqlclient by its version; PyMySQL stands in for it and says so.
    pymysql.version_info = (2, 2, 4, "final", 0)
    pymysql.install_as_MySQLdb()

INSTALLED_APPS = os.environ["APPS"].split()
DATABASES = {"default": dj_database_url.parse(os.environ["DATABASE_URL"])}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
