"""A view and a materialized view on a table."""

from django.db import models
from django_pgviews import view


class Customer(models.Model):
    name = models.CharField(max_length=100)
    is_preferred = models.BooleanField(default=False)
    note = models.TextField()


class Preferred(view.View):
    projection = ["pgviews_site.Customer.id", "pgviews_site.Customer.name"]
    sql = "SELECT id, name FROM pgviews_site_customer WHERE is_preferred"

    class Meta:
        managed = False
        db_table = "pgviews_site_preferred"


class Counted(view.MaterializedView):
    id = models.IntegerField(primary_key=True)
    total = models.IntegerField()
    sql = "SELECT 1 AS id, count(*) AS total FROM pgviews_site_customer"

    class Meta:
        managed = False
        db_table = "pgviews_site_counted"
