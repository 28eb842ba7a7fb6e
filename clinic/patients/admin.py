"""Patients in the admin: looked at and archived there, never deleted, for files hang on them (LESSONS 17)."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from clinic.patients.models import Clinic, Patient


class ArchivableAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """No deleting, neither one row nor many; archiving instead."""

    actions = ("archive", "unarchive")
    readonly_fields = ("archived_at",)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.action(description="Archive the selected rows", permissions=["change"])
    def archive(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        changed = queryset.filter(archived_at=None).update(archived_at=timezone.now())
        self.message_user(request, f"{changed} archived.")

    @admin.action(description="Take the selected rows out of the archive", permissions=["change"])
    def unarchive(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        changed = queryset.exclude(archived_at=None).update(archived_at=None)
        self.message_user(request, f"{changed} taken out of the archive.")


@admin.register(Clinic)
class ClinicAdmin(ArchivableAdmin):
    list_display = ("name", "filemaker_id", "archived_at")
    list_filter = (("archived_at", admin.EmptyFieldListFilter),)
    search_fields = ("name", "filemaker_id")


@admin.register(Patient)
class PatientAdmin(ArchivableAdmin):
    list_display = ("last_name", "first_name", "date_of_birth", "clinic", "filemaker_id", "batches", "archived_at")
    list_filter = (("archived_at", admin.EmptyFieldListFilter), "clinic")
    list_select_related = ("clinic",)
    search_fields = ("filemaker_id__iexact", "last_name", "first_name")
    raw_id_fields = ("clinic",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Patient]:
        patients: QuerySet[Patient] = super().get_queryset(request)
        return patients.annotate(batches=Count("image_batches"))

    @admin.display(description="image batches")
    def batches(self, patient: Any) -> int:
        return int(patient.batches)
