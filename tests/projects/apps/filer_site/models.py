"""Fields that point to a file, an image and a folder."""

from django.db import models
from filer.fields.file import FilerFileField
from filer.fields.folder import FilerFolderField
from filer.fields.image import FilerImageField


class Company(models.Model):
    logo = FilerImageField(null=True, on_delete=models.SET_NULL, related_name="+")
    disclaimer = FilerFileField(on_delete=models.PROTECT, related_name="+")
    folder = FilerFolderField(on_delete=models.CASCADE)
