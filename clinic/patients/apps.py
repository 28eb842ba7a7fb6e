from django.apps import AppConfig


class PatientsConfig(AppConfig):
    """Clinics and patients, known by the ids that FileMaker gave them."""

    name = "clinic.patients"
    verbose_name = "Patients"
