"""Models that inherit from one model, in joined tables."""

from django.db import models
from polymorphic.models import PolymorphicModel


class Work(PolymorphicModel):
    topic = models.CharField(max_length=30)


class Painting(Work):
    artist = models.CharField(max_length=30)


class Fresco(Painting):
    wall = models.CharField(max_length=30)


class Study(Work):
    of = models.ForeignKey(Work, on_delete=models.CASCADE, related_name="studies")


class Sketch(Study):
    class Meta:
        proxy = True
