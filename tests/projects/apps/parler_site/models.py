"""A model with a table of translations, and one that inherits it."""

from django.db import models
from parler.models import TranslatableModel, TranslatedFields


class Product(TranslatableModel):
    price = models.DecimalField(max_digits=8, decimal_places=2)
    translations = TranslatedFields(
        title=models.CharField(max_length=200),
        slug=models.SlugField(),
        meta={"unique_together": [("language_code", "slug")]},
    )


class Book(Product):
    isbn = models.CharField(max_length=13)
    more = TranslatedFields(blurb=models.TextField())
