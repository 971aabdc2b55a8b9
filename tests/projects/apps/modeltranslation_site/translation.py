"""The fields that are translated."""

from modeltranslation.translator import TranslationOptions, register

from tests.projects.apps.modeltranslation_site.models import News


@register(News)
class NewsOptions(TranslationOptions):
    fields = ("title", "about")
    required_languages = ("en",)
