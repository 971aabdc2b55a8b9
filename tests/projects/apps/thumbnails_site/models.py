"""An image with thumbnails."""

from django.db import models
from easy_thumbnails.fields import ThumbnailerField, ThumbnailerImageField


class Album(models.Model):
    cover = ThumbnailerImageField(resize_source={"size": (100, 100)})
    booklet = ThumbnailerField(null=True)
