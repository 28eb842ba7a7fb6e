import uuid

from django.contrib.auth.models import AbstractUser
from django.db import models


class Member(AbstractUser):
    """Who signs in; the project's own user model."""


class Patient(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200)
    data = models.JSONField(default=dict, blank=True)  # {"filemaker_id": "..."} and whatever else is known

    def __str__(self) -> str:
        return self.name
