"""Histories of models with keys, files and relations of every kind."""

import uuid

from django.conf import settings
from django.db import models
from simple_history.models import HistoricalRecords


class Subject(models.Model):
    code = models.CharField(primary_key=True, max_length=20)
    history = HistoricalRecords()


class Exam(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    subject = models.ForeignKey(Subject, on_delete=models.CASCADE, db_column="about")
    examiner = models.OneToOneField(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    paper = models.FileField()
    held = models.DateTimeField(auto_now_add=True)
    others = models.ManyToManyField(Subject, related_name="+")
    history = HistoricalRecords(
        m2m_fields=[others],
        history_id_field=models.UUIDField(default=uuid.uuid4),
        history_change_reason_field=models.TextField(null=True),
        table_name="exam_history",
    )


class Resit(Exam):
    attempt = models.PositiveIntegerField(unique=True)
    history = HistoricalRecords(inherit=True, excluded_fields=["paper"], use_base_model_db=True)
