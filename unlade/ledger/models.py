"""The ledger: what the source has, what became of each record, what each run did and what it cost.

Written by one process at a time for one source (its lock) and by one thread in it. Meanings: CONTRACT B1, B3, B4.
"""

from __future__ import annotations

from typing import Any

from django.db import models

from unlade.owners import Ref, normalise_refs
from unlade.states import STORED, ItemState, RunOutcome, check_arrow


class Host(models.Model):
    """One FileMaker host and database: what every process must know before it asks anything."""

    key = models.CharField(max_length=255, unique=True, help_text="address and database")
    breaker = models.JSONField(default=dict, blank=True)
    booked = models.PositiveBigIntegerField(default=0, help_text="grows with every booking, by whichever process")
    retry_at = models.DateTimeField(null=True, blank=True)
    resting_because = models.CharField(max_length=200, blank=True)
    trial = models.JSONField(default=dict, blank=True, help_text="the run that tries the host after a rest")
    survey = models.JSONField(default=dict, blank=True, help_text="what the last survey found; {} before the first")
    surveyed_at = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return self.key


class Source(models.Model):
    """One declared import and what its source says of itself."""

    name = models.CharField(max_length=100, unique=True)
    layout = models.CharField(max_length=255, blank=True)
    found = models.PositiveIntegerField(null=True, blank=True, help_text="the source's own count")
    total = models.PositiveIntegerField(null=True, blank=True, help_text="records in the table by the source's word")
    count_is = models.CharField(max_length=10, default="records")
    counted_at = models.DateTimeField(null=True, blank=True)
    listed_through = models.PositiveIntegerField(default=0, help_text="place up to which every record is known")
    anchor = models.CharField(max_length=64, blank=True, help_text="record id at that place")
    listing_complete = models.BooleanField(default=False)
    bytes_per_record = models.PositiveIntegerField(default=0, help_text="largest seen on a page")
    reading_since = models.DateTimeField(
        null=True, blank=True, help_text="when an unfinished reading of all objects began"
    )
    comparing = models.JSONField(
        blank=True, default=dict, help_text="how far an unfinished comparison with a database file is"
    )

    def __str__(self) -> str:
        return self.name


class Run(models.Model):
    """One run of one import; `number` counts up within its source and is never used twice."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="runs")
    host = models.ForeignKey(Host, null=True, blank=True, on_delete=models.SET_NULL, related_name="runs")
    number = models.PositiveIntegerField()
    permits = models.PositiveSmallIntegerField(
        default=0, help_text="downloads at once that it may have on the host now"
    )
    road = models.CharField(max_length=10, default="api")
    started_at = models.DateTimeField()
    heartbeat_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=12, default=RunOutcome.RUNNING)
    reason = models.TextField(blank=True)
    exit_code = models.SmallIntegerField(null=True, blank=True)
    retry_at = models.DateTimeField(null=True, blank=True)
    machine = models.CharField(max_length=255, blank=True)
    process = models.PositiveIntegerField(null=True, blank=True)
    options = models.JSONField(default=dict, blank=True)
    found = models.PositiveIntegerField(null=True, blank=True)
    imported = models.PositiveIntegerField(default=0)
    empty = models.PositiveIntegerField(default=0)
    unlinked = models.PositiveIntegerField(default=0)
    quarantined = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(default=0)
    downloads = models.PositiveIntegerField(default=0)
    api_bytes = models.BigIntegerField(default=0)
    container_bytes = models.BigIntegerField(default=0)
    header_bytes = models.BigIntegerField(default=0)
    kept_bytes = models.BigIntegerField(default=0)
    requests = models.PositiveIntegerField(default=0)
    logins = models.PositiveIntegerField(default=0)
    troubles = models.JSONField(default=list, blank=True, help_text="downloads done when the host gave trouble")

    class Meta:
        ordering = ["-started_at"]
        constraints = [models.UniqueConstraint(fields=["source", "number"], name="unlade_run_number")]

    def __str__(self) -> str:
        return f"{self.source.name} run {self.number}"


class Item(models.Model):
    """One record of a source (with `each`: one filled value of it) and what became of its file."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="items")
    record_id = models.CharField(max_length=64)
    road = models.CharField(max_length=10, default="api", help_text="by which road record and modification id came")
    slot = models.CharField(max_length=255, blank=True, help_text="container field, only for imports with `each`")
    mod_id = models.CharField(max_length=64, blank=True)
    file_mod_id = models.CharField(
        max_length=64, blank=True, help_text="modification id that its file was fetched under; empty: not known"
    )
    file_stamp = models.CharField(
        max_length=64, blank=True, help_text="size and time of the file of an export that was taken; empty: not known"
    )
    identity = models.CharField(max_length=255, blank=True)
    identity_key = models.CharField(max_length=255, blank=True, help_text="the identity as it is compared")
    owner_ref = models.CharField(max_length=255, blank=True)
    owner_key = models.CharField(max_length=255, blank=True, help_text="the owner reference as it is compared")
    owner_refs = models.JSONField(
        default=list, blank=True, help_text="one for each field, where the declaration names several; else empty"
    )
    owner_row = models.CharField(
        max_length=255, blank=True, help_text="primary key of the owner that a person chose; no run or relink undoes it"
    )
    owner_in_key = models.CharField(
        max_length=255, blank=True, help_text="owner reference that its key has since a person had it moved there"
    )
    day = models.DateField(null=True, blank=True)
    category = models.CharField(max_length=255, blank=True)
    position = models.PositiveIntegerField(null=True, blank=True, help_text="place in the source's order when listed")
    known_size = models.BigIntegerField(null=True, blank=True, help_text="bytes, when known before the download")

    state = models.CharField(
        max_length=12, default=ItemState.PENDING, choices=[(state.value, state.value) for state in ItemState]
    )
    reason = models.CharField(max_length=40, blank=True)
    detail = models.TextField(blank=True)
    final = models.BooleanField(default=False, help_text="a failure that is not tried again by itself")
    tries = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True, blank=True)
    attempts = models.JSONField(default=list, blank=True, help_text="what each container field came to")
    in_hand = models.ForeignKey(Run, null=True, blank=True, on_delete=models.SET_NULL, related_name="in_hand")
    gone_at = models.DateTimeField(null=True, blank=True, help_text="when it was no longer in the source")

    field = models.CharField(max_length=255, blank=True, help_text="container field that was taken")
    lesser_copy = models.BooleanField(default=False)
    original_name = models.CharField(max_length=255, blank=True)
    key = models.CharField(max_length=1024, blank=True)
    size = models.BigIntegerField(null=True, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    mime_type = models.CharField(max_length=150, blank=True)
    width = models.PositiveIntegerField(null=True, blank=True)
    height = models.PositiveIntegerField(null=True, blank=True)
    thumbnail_key = models.CharField(max_length=1024, blank=True)
    thumbnail_size = models.PositiveIntegerField(null=True, blank=True)
    thumbnail_error = models.CharField(max_length=255, blank=True)
    spare_key = models.CharField(max_length=1024, blank=True, help_text="damaged bytes kept beside a lesser copy")
    notes = models.JSONField(default=list, blank=True)
    row = models.CharField(max_length=255, blank=True, help_text="primary key of the project's row")
    digests = models.JSONField(
        default=dict, blank=True, help_text="of a record without files: what its row was written from, by part"
    )
    marked_at = models.DateTimeField(null=True, blank=True)
    accepted_by = models.CharField(max_length=150, blank=True)
    accepted_why = models.TextField(blank=True)
    proven_at = models.DateTimeField(
        null=True, blank=True, help_text="when its object was last read and had its sha256"
    )

    seen_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, blank=True)
    settled_in = models.ForeignKey(Run, null=True, blank=True, on_delete=models.SET_NULL, related_name="settled")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["source", "road", "record_id", "slot"], name="unlade_item_record"),
        ]
        indexes = [
            models.Index(fields=["source", "state", "next_try_at"], name="unlade_item_state"),
            models.Index(fields=["source", "identity_key"], name="unlade_item_identity"),
            models.Index(fields=["source", "owner_key"], name="unlade_item_owner"),
            models.Index(fields=["source", "position"], name="unlade_item_position"),
            models.Index(fields=["source", "row"], name="unlade_item_row"),
            models.Index(fields=["source"], name="unlade_item_in_hand", condition=models.Q(in_hand__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.source.name} record {self.record_id}{f' {self.slot}' if self.slot else ''}"

    @property
    def reference(self) -> Ref:
        """What its owner is looked for by, as it is compared (`unlade.owners`)."""
        return normalise_refs(tuple(self.owner_refs)) if self.owner_refs else self.owner_key

    def move(self, state: str) -> None:
        """Change the state along an allowed arrow. Raises `ValueError` for any other."""
        check_arrow(self.state, state)
        self.state = state


class Event(models.Model):
    """Something that happened to an item; kept so that its story can be told when the source is long switched off.

    `what` is the state that a try ended in, or one of `unlade.ledger.events`. `detail` holds ids and codes only.
    """

    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField()
    run = models.ForeignKey(Run, null=True, blank=True, on_delete=models.SET_NULL, related_name="events")
    what = models.CharField(max_length=20)
    detail = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["at", "pk"]

    def __str__(self) -> str:
        return f"{self.item} {self.what}"


class TransferUsage(models.Model):
    """One reservation of wire bytes and, once settled, what really came.

    `charged` is what the allowance counts: the reservation until it is settled, the real bytes after. What a killed
    process could not settle stays charged.
    """

    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="usage")
    run = models.ForeignKey(Run, null=True, blank=True, on_delete=models.SET_NULL, related_name="usage")
    item = models.ForeignKey(Item, null=True, blank=True, on_delete=models.SET_NULL, related_name="usage")
    kind = models.CharField(max_length=10)
    reserved = models.BigIntegerField()
    charged = models.BigIntegerField()
    settled = models.BooleanField(default=False)
    api_bytes = models.BigIntegerField(default=0)
    container_bytes = models.BigIntegerField(default=0)
    header_bytes = models.BigIntegerField(default=0)
    opened_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["host", "opened_at", "charged"], name="unlade_usage_period")]

    def __str__(self) -> str:
        return f"{self.kind} {self.charged} bytes"


class AllowanceSetting(models.Model):
    """What was set with `filemaker_allowance`: it goes before the settings `UNLADE_ALLOWANCE...`. None: not set here.

    Sizes are bytes. `factor` weighs container bytes under the contract year: None counts them in full.
    """

    host = models.OneToOneField(Host, on_delete=models.CASCADE, related_name="allowance_setting")
    annual = models.BigIntegerField(null=True, blank=True)
    reset = models.CharField(max_length=5, blank=True, help_text="month and day of the contract year's begin, 03-10")
    reserve = models.DecimalField(max_digits=6, decimal_places=5, null=True, blank=True, help_text="share of the year")
    month = models.BigIntegerField(null=True, blank=True)
    day = models.BigIntegerField(null=True, blank=True)
    hour = models.BigIntegerField(null=True, blank=True)
    factor = models.DecimalField(max_digits=6, decimal_places=5, null=True, blank=True)
    factor_auto = models.BooleanField(default=False, help_text="take the factor that the console's readings show")
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"allowance of {self.host.key}"


class ConsoleReading(models.Model):
    """The Admin Console's "total data transmitted by all hosts", as a person read it. It may lag by a day."""

    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="readings")
    at = models.DateTimeField()
    used = models.BigIntegerField(help_text="bytes since the contract year began")

    class Meta:
        ordering = ["at", "pk"]
        indexes = [models.Index(fields=["host", "at"], name="unlade_reading_at")]

    def __str__(self) -> str:
        return f"{self.used} bytes at {self.at:%Y-%m-%d %H:%M}"


class Waiver(models.Model):
    """A container field that no declaration covers, left behind on purpose: who said so, when and why."""

    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="waivers")
    table = models.CharField(max_length=255, blank=True, help_text="table, or the layout where its name is not known")
    field = models.CharField(max_length=255, blank=True, help_text="container field; empty: all of the table")
    reason = models.TextField()
    by = models.CharField(max_length=150, blank=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ["table", "field"]
        constraints = [models.UniqueConstraint(fields=["host", "table", "field"], name="unlade_waiver_field")]

    def __str__(self) -> str:
        return f"{self.table}::{self.field or '*'}"


class Notice(models.Model):
    """Something that people were to be told once. It stays, so that nobody is told it again."""

    kind = models.CharField(max_length=20)
    key = models.CharField(max_length=255, unique=True, help_text="what must not be told twice")
    text = models.TextField()
    payload = models.JSONField(default=dict, blank=True, help_text="what the webhook gets; ids and counts only")
    created_at = models.DateTimeField()
    waits_for = models.JSONField(default=list, blank=True, help_text="channels that have not taken it yet")
    claimed_at = models.DateTimeField(null=True, blank=True, help_text="when a process began to send it")
    sent_at = models.DateTimeField(null=True, blank=True, help_text="when the last channel took it")
    tries = models.PositiveIntegerField(default=0)
    last_error = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["created_at"]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


def edited_since(source: Source) -> models.QuerySet[Item]:
    """Stored items whose record was edited after their file was fetched: the file may have been replaced there."""
    items: models.QuerySet[Item] = source.items.filter(gone_at=None, state__in=list(STORED), road="api")
    return items.exclude(file_mod_id="").exclude(file_mod_id=models.F("mod_id"))


def state_counts(source: Source) -> dict[str, int]:
    """Items of `source` by state, those that are gone left out; every state is named.

    `pending` includes what was not read yet, so the sum is the source's own count (CONTRACT B1).
    """
    counts = {state.value: 0 for state in ItemState}
    rows: Any = source.items.filter(gone_at=None).values_list("state").annotate(models.Count("pk")).order_by()
    counts.update(dict(rows))
    if source.found is not None:
        known = sum(counts.values())
        counts[ItemState.PENDING] = max(0, counts[ItemState.PENDING] + source.found - known)
    return counts
