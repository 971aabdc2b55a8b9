"""Tags of models with integer and UUID keys, by a custom relation, and a custom model of tags."""

import uuid

from django.db import models
from taggit.managers import TaggableManager
from taggit.models import CommonGenericTaggedItemBase, GenericUUIDTaggedItemBase, TagBase, TaggedItemBase


class Food(models.Model):
    tags = TaggableManager()


class TaggedPet(TaggedItemBase):
    content_object = models.ForeignKey("Pet", on_delete=models.CASCADE)


class Pet(models.Model):
    tags = TaggableManager(through=TaggedPet)


class TaggedByUuid(GenericUUIDTaggedItemBase, TaggedItemBase):
    pass


class House(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    tags = TaggableManager(through=TaggedByUuid)


class Label(TagBase):
    colour = models.CharField(max_length=7)


class LabelledByText(CommonGenericTaggedItemBase):
    object_id = models.CharField(max_length=50, db_index=True)
    tag = models.ForeignKey(Label, on_delete=models.CASCADE, related_name="items")


class Car(models.Model):
    plate = models.CharField(primary_key=True, max_length=10)
    tags = TaggableManager(through=LabelledByText)
