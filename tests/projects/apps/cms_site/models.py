"""A plugin, an extension of pages, and a model with placeholders, a link, an image and formatted text."""

from cms.extensions import PageContentExtension, PageExtension
from cms.models import CMSPlugin, PlaceholderRelationField
from cms.models.fields import PageField
from django.db import models
from djangocms_link.fields import LinkField
from djangocms_text.fields import HTMLField
from filer.fields.image import FilerImageField


class Teaser(CMSPlugin):
    title = models.CharField(max_length=100)
    target = PageField(null=True, blank=True, on_delete=models.SET_NULL)
    image = FilerImageField(null=True, blank=True, on_delete=models.SET_NULL, related_name="+")


class Icon(PageExtension):
    name = models.CharField(max_length=20)


class Rating(PageContentExtension):
    stars = models.PositiveSmallIntegerField(default=0)


class Event(models.Model):
    link = LinkField(blank=True)
    text = HTMLField()
    placeholders = PlaceholderRelationField()
