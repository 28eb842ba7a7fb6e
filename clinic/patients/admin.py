"""Patients in the admin: looked at and archived there, never deleted, for files hang on them (LESSONS 17)."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from clinic.patients.models import Clinic, Patient
from unlade.owners import normalise_ref


class ArchiveFilter(admin.SimpleListFilter):
    """Who is archived is not listed unless asked for; a search by id finds everybody."""

    title = "archive"
    parameter_name = "archive"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "archived"), ("all", "all")]

    def choices(self, changelist: Any) -> Any:
        first, *others = super().choices(changelist)
        return [{**first, "display": "active"}, *others]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() == "yes":
            return queryset.exclude(archived_at=None)
        return queryset if self.value() == "all" else queryset.filter(_shown(request.GET.get("q", "")))


def _shown(term: str) -> Q:
    """Rows that are not archived, and the one whose id is the search's whole text."""
    return Q(archived_at=None) | _by_id(term)


def _by_id(term: str) -> Q:
    """The row with this id, ours or FileMaker's."""
    ref = normalise_ref(term)
    ours = Q(pk=int(ref)) if ref.isascii() and ref.isdigit() and len(ref) < 19 else Q(pk__in=[])
    if not ref or "\0" in ref:
        return ours
    return ours | Q(filemaker_id__iexact=ref) | Q(filemaker_id__iexact=f"{{{ref}}}")


class ArchivableAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """No deleting, neither one row nor many; archiving instead."""

    actions = ("archive", "unarchive")
    readonly_fields = ("archived_at",)

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """By name, and by id in any spelling. Pickers do not offer who is archived, but for his id."""
        found, double = super().get_search_results(request, queryset, search_term)
        if search_term.strip():
            found = found | queryset.filter(_by_id(search_term))
        if request.resolver_match is not None and request.resolver_match.url_name == "autocomplete":
            found = found.filter(_shown(search_term))
        return found, double

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.action(description="Archive the selected rows", permissions=["change"])
    def archive(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        from clinic.patients.archiving import put_away

        changed = put_away(list(queryset), timezone.now(), request.user.get_username(), "in the admin")
        self.message_user(request, f"{changed} archived.")

    @admin.action(description="Take the selected rows out of the archive", permissions=["change"])
    def unarchive(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        from clinic.patients.archiving import take_out

        changed = take_out(list(queryset), timezone.now(), request.user.get_username(), "in the admin")
        self.message_user(request, f"{changed} taken out of the archive.")


@admin.register(Clinic)
class ClinicAdmin(ArchivableAdmin):
    list_display = ("name", "filemaker_id", "archived_at")
    list_filter = (ArchiveFilter,)
    search_fields = ("name", "filemaker_id")


@admin.register(Patient)
class PatientAdmin(ArchivableAdmin):
    list_display = ("last_name", "first_name", "date_of_birth", "clinic", "filemaker_id", "batches", "archived_at")
    list_filter = (ArchiveFilter, "clinic")
    list_select_related = ("clinic",)
    search_fields = ("filemaker_id__iexact", "last_name", "first_name")
    raw_id_fields = ("clinic",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Patient]:
        patients: QuerySet[Patient] = super().get_queryset(request)
        return patients.annotate(batches=Count("image_batches"))

    @admin.display(description="image batches")
    def batches(self, patient: Any) -> int:
        return int(patient.batches)
