"""Images in the admin: looked at, captioned and sorted there; what came from FileMaker is not typed over."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from clinic.images.models import Image, ImageBatch


class _NoDeleting:
    """The ledger would go on to say that a deleted file is here."""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class LinkedFilter(admin.SimpleListFilter):
    """With or without a patient."""

    title = "patient"
    parameter_name = "linked"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "linked"), ("no", "not linked")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() not in ("yes", "no"):
            return queryset
        path = "patient__isnull" if queryset.model is ImageBatch else "batch__patient__isnull"
        return queryset.filter(**{path: self.value() == "no"})


@admin.register(ImageBatch)
class ImageBatchAdmin(_NoDeleting, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("name", "patient", "owner_ref", "captured_on", "image_count", "source")
    list_filter = (LinkedFilter, "source")
    list_select_related = ("patient",)
    date_hierarchy = "captured_on"
    search_fields = ("owner_ref__iexact", "patient__filemaker_id__iexact", "patient__last_name")
    fields = ("name", "patient", "owner_ref", "captured_on", "source", "image_count", "created_at")
    readonly_fields = ("patient", "owner_ref", "captured_on", "source", "image_count", "created_at")


@admin.register(Image)
class ImageAdmin(_NoDeleting, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = (
        "pk", "batch", "category", "date_taken", "mime_type", "file_size", "width", "height", "quarantined", "filemaker_id",
    )  # fmt: skip
    list_filter = ("quarantined", LinkedFilter, "mime_type")
    list_select_related = ("batch",)
    search_fields = ("filemaker_id__iexact", "sha256", "key")
    show_full_result_count = False
    editable = ("caption", "category", "order")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [field.name for field in Image._meta.fields if field.name not in self.editable]
