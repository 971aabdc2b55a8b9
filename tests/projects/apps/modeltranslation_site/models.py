"""A model that gets additional columns per language."""

from django.db import models


class News(models.Model):
    title = models.CharField(max_length=100)
    about = models.OneToOneField("self", null=True, on_delete=models.CASCADE)
