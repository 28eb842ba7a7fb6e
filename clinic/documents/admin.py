"""Documents in the admin: looked at, named and tagged there; what came from FileMaker is not typed over."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from clinic.documents.models import Document


class LinkedFilter(admin.SimpleListFilter):
    """With or without a patient."""

    title = "patient"
    parameter_name = "linked"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "linked"), ("no", "not linked")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() not in ("yes", "no"):
            return queryset
        return queryset.filter(owner__isnull=self.value() == "no")


@admin.register(Document)
class DocumentAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Nothing is deleted: the ledger would go on to say that the file is here."""

    list_display = (
        "name",
        "owner",
        "category",
        "document_date",
        "mime_type",
        "size",
        "pages",
        "quarantined",
        "filemaker_id",
    )
    list_filter = ("quarantined", LinkedFilter, "mime_type")
    list_select_related = ("owner",)
    date_hierarchy = "document_date"
    search_fields = ("name", "filemaker_id__iexact", "owner_ref__iexact", "owner__last_name", "sha256", "key")
    show_full_result_count = False
    editable = ("name", "tags")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [field.name for field in Document._meta.fields if field.name not in self.editable]
