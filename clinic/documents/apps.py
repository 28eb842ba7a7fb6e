from django.apps import AppConfig


class DocumentsConfig(AppConfig):
    """Patients' documents: letters, reports, scans, messages."""

    name = "clinic.documents"
    verbose_name = "Documents"
