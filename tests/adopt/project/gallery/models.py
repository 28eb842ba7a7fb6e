import uuid

from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.core.files.storage import Storage, storages
from django.db import models


def archive() -> Storage:
    return storages["archive"]


class Owned(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner_type = models.ForeignKey(ContentType, null=True, blank=True, on_delete=models.PROTECT)
    owner_id = models.CharField(max_length=36, blank=True)
    owner = GenericForeignKey("owner_type", "owner_id")

    class Meta:
        abstract = True


class Photo(Owned):
    file = models.ImageField(storage=archive, max_length=1024, width_field="width", height_field="height")
    preview = models.FileField(storage=archive, max_length=1024, blank=True)
    width = models.PositiveIntegerField(null=True)
    height = models.PositiveIntegerField(null=True)
    title = models.CharField(max_length=100, blank=True)
    taken = models.DateField(null=True)
    size = models.PositiveBigIntegerField(default=0)
    digest = models.CharField(max_length=64, blank=True)
    source_id = models.CharField(max_length=255, null=True, unique=True)
    source = models.JSONField(default=dict)


class Paper(Owned):
    file = models.FileField(storage=archive, max_length=1024)
    kind = models.CharField(max_length=50, blank=True)
    digest = models.CharField(max_length=64, blank=True)
    source_id = models.CharField(max_length=255, null=True)
    side = models.CharField(max_length=50, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source_id", "side"], name="paper_source")]
