"""A custom user model, and permissions with a foreign key to their object."""

import uuid

from django.contrib.auth.models import AbstractUser
from django.db import models
from guardian.mixins import GuardianUserMixin
from guardian.models import GroupObjectPermissionBase, UserObjectPermissionAbstract, UserObjectPermissionBase


class Member(AbstractUser, GuardianUserMixin):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)


class ByMember(UserObjectPermissionAbstract):
    id = models.BigAutoField(primary_key=True)
    since = models.DateTimeField(auto_now_add=True)

    class Meta(UserObjectPermissionAbstract.Meta):
        abstract = False


class Document(models.Model):
    title = models.CharField(max_length=100)


class DocumentByMember(UserObjectPermissionBase):
    content_object = models.ForeignKey(Document, on_delete=models.CASCADE)


class DocumentByGroup(GroupObjectPermissionBase):
    content_object = models.ForeignKey(Document, on_delete=models.CASCADE)
