"""Pages, a snippet with all features of snippets, a form, settings, and a custom image model."""

from django.db import models
from modelcluster.contrib.taggit import ClusterTaggableManager
from modelcluster.fields import ParentalKey, ParentalManyToManyField
from taggit.models import TaggedItemBase
from wagtail import blocks
from wagtail.contrib.forms.models import AbstractEmailForm, AbstractFormField
from wagtail.contrib.settings.models import BaseGenericSetting, BaseSiteSetting
from wagtail.fields import RichTextField, StreamField
from wagtail.images.models import AbstractImage, AbstractRendition
from wagtail.models import (
    DraftStateMixin,
    LockableMixin,
    Orderable,
    Page,
    PreviewableMixin,
    RevisionMixin,
    TranslatableMixin,
    WorkflowMixin,
)
from wagtail.search import index
from wagtail.snippets.models import register_snippet


class Picture(AbstractImage):
    caption = models.CharField(max_length=255, blank=True)
    admin_form_fields = ("title", "file", "caption")


class PictureRendition(AbstractRendition):
    image = models.ForeignKey(Picture, on_delete=models.CASCADE, related_name="renditions")

    class Meta:
        unique_together = (("image", "filter_spec", "focal_point_key"),)


@register_snippet
class Author(
    WorkflowMixin,
    DraftStateMixin,
    LockableMixin,
    RevisionMixin,
    TranslatableMixin,
    PreviewableMixin,
    index.Indexed,
    models.Model,
):
    name = models.CharField(max_length=100)
    picture = models.ForeignKey(Picture, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    class Meta(TranslatableMixin.Meta):
        pass


class ArticleTag(TaggedItemBase):
    content_object = ParentalKey("Article", on_delete=models.CASCADE, related_name="tagged_items")


class Article(Page):
    date = models.DateField(null=True, blank=True)
    intro = RichTextField(blank=True)
    body = StreamField([("heading", blocks.CharBlock()), ("text", blocks.RichTextBlock())])
    authors = ParentalManyToManyField(Author, blank=True)
    tags = ClusterTaggableManager(through=ArticleTag, blank=True)


class RelatedLink(Orderable):
    page = ParentalKey(Article, on_delete=models.CASCADE, related_name="links")
    url = models.URLField()


class ContactField(AbstractFormField):
    page = ParentalKey("ContactPage", on_delete=models.CASCADE, related_name="form_fields")


class ContactPage(AbstractEmailForm):
    thanks = RichTextField(blank=True)


class Social(BaseSiteSetting):
    url = models.URLField()


class Footer(BaseGenericSetting):
    text = RichTextField()
