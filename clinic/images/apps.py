from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_migrate


class ImagesConfig(AppConfig):
    """Patients' images, one batch for each day."""

    name = "clinic.images"
    verbose_name = "Images"

    def ready(self) -> None:
        from clinic.images import counting

        pre_migrate.connect(counting.before_migrate, sender=self)
        post_migrate.connect(counting.after_migrate, sender=self)
