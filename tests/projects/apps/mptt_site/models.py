"""A tree whose fields have other names, and relations to it."""

from django.db import models
from mptt.fields import TreeForeignKey, TreeManyToManyField
from mptt.models import MPTTModel


class Genre(MPTTModel):
    name = models.CharField(max_length=50, unique=True)
    parent = TreeForeignKey("self", null=True, blank=True, on_delete=models.CASCADE, related_name="children")

    class MPTTMeta:
        order_insertion_by = ["name"]
        left_attr = "left_edge"
        right_attr = "right_edge"
        level_attr = "depth"


class Band(models.Model):
    genres = TreeManyToManyField(Genre)
