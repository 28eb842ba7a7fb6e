"""Clinics and patients. Both are known by their FileMaker id, which outlives our primary keys (LESSONS 9 and 10)."""

from __future__ import annotations

from typing import Any, Self

from django.db import models
from django.db.models.functions import Trim, Upper


class ArchivableQuerySet(models.QuerySet[Any]):
    """Rows that are put away, not deleted."""

    def active(self) -> Self:
        return self.filter(archived_at=None)

    def archived(self) -> Self:
        return self.exclude(archived_at=None)


class Archivable(models.Model):
    """A row that is put away instead of deleted: files hang on it."""

    archived_at = models.DateTimeField(null=True, blank=True)

    objects = ArchivableQuerySet.as_manager()

    class Meta:
        abstract = True

    @property
    def archived(self) -> bool:
        return self.archived_at is not None


class Clinic(Archivable):
    name = models.CharField(max_length=200)
    filemaker_id = models.CharField(max_length=64, unique=True, null=True, blank=True)

    class Meta:
        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return self.name or f"Clinic {self.pk}"


class Patient(Archivable):
    """Ids that differ only by case can stand side by side: which of them a file means is then for a person to say."""

    clinic = models.ForeignKey(Clinic, null=True, blank=True, on_delete=models.PROTECT, related_name="patients")
    filemaker_id = models.CharField(max_length=64, unique=True, null=True, blank=True)
    first_name = models.CharField(max_length=150, blank=True)
    last_name = models.CharField(max_length=150, blank=True)
    date_of_birth = models.DateField(null=True, blank=True)
    modified_on = models.DateField(null=True, blank=True, help_text="day of the last change in FileMaker")

    class Meta:
        ordering = ["last_name", "first_name", "pk"]
        indexes = [
            # The expression by which unlade.owners looks for owners, letter by letter, or it is not used.
            models.Index(Upper(Trim("filemaker_id")), name="patient_filemaker_ref"),
        ]

    def __str__(self) -> str:
        return f"{self.last_name}, {self.first_name}".strip(", ") or f"Patient {self.pk}"


class ArchiveEntry(models.Model):
    """Who put a patient or a clinic away, or took it out again, when and why."""

    patient = models.ForeignKey(Patient, null=True, on_delete=models.CASCADE, related_name="archive_entries")
    clinic = models.ForeignKey(Clinic, null=True, on_delete=models.CASCADE, related_name="archive_entries")
    archived = models.BooleanField(help_text="put away; else taken out")
    at = models.DateTimeField()
    by = models.CharField(max_length=150)
    why = models.TextField(blank=True)
    forced = models.BooleanField(default=False, help_text="although files were open or not proven")

    class Meta:
        verbose_name_plural = "archive entries"
        ordering = ["at", "pk"]

    def __str__(self) -> str:
        return f"{self.patient or self.clinic} {'archived' if self.archived else 'taken out'} by {self.by}"


class Phone(models.Model):
    """A number of a patient's. One that FileMaker no longer has stays, and says since when."""

    patient = models.ForeignKey(Patient, on_delete=models.CASCADE, related_name="phones")
    filemaker_id = models.CharField(max_length=64, unique=True)
    kind = models.CharField(max_length=40, blank=True)
    number = models.CharField(max_length=60, blank=True)
    gone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.kind} {self.number}".strip() or f"Phone {self.pk}"
