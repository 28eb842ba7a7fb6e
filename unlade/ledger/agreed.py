"""Writes what a person says about the allowance: limits, the console's readings, the weight of container bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from unlade.errors import UsageError
from unlade.governor.periods import Window
from unlade.ledger.models import AllowanceSetting, ConsoleReading, Host
from unlade.ledger.terms import NAMES

#: What `unset` takes back.
CAN_UNSET = (*NAMES, "factor")


def set_terms(host: Host, values: Mapping[str, Any]) -> None:
    """Keep these terms by their names in `NAMES`; what is None stays as it was. Raises `UsageError` for nothing."""
    given = {name: value for name, value in values.items() if value is not None}
    if not given:
        raise UsageError("nothing to set", remedy="Say what: --annual 144GB --reset 03-10 --used '2 GB'.")
    AllowanceSetting.objects.update_or_create(host=host, defaults=given)


def unset_terms(host: Host, names: Iterable[str]) -> None:
    """Let the settings speak again for these names. Raises `UsageError` for a name that does not exist."""
    names = set(names)
    unknown = sorted(names - set(CAN_UNSET))
    if unknown:
        raise UsageError(f"{unknown[0]!r} cannot be unset", remedy=f"There are: {', '.join(CAN_UNSET)}.")
    values: dict[str, Any] = {name: "" if name == "reset" else None for name in names}
    if "factor" in names:
        values["factor_auto"] = False
    AllowanceSetting.objects.filter(host=host).update(**values)


def choose_factor(host: Host, factor: Decimal | None) -> None:
    """Weigh container bytes with `factor` under the contract year; None: with the one that the readings show."""
    values = {"factor": factor, "factor_auto": factor is None}
    AllowanceSetting.objects.update_or_create(host=host, defaults=values)


@dataclass(frozen=True, slots=True)
class Entered:
    """A reading that was kept; `fell_from` is a higher one before it in the same contract year."""

    at: datetime
    used: int
    fell_from: int | None = None


def enter_reading(host: Host, used: int, at: datetime, now: datetime, year: Window) -> Entered:
    """Keep that the console showed `used` bytes at `at`. A second one of the same moment takes the first one's place.

    Raises `UsageError` for a time that is still to come.
    """
    if at > now:
        raise UsageError(
            f"{at:%Y-%m-%d %H:%M} UTC is still to come",
            remedy="--at says when the console was read, not when it resets.",
        )
    with transaction.atomic():
        before = ConsoleReading.objects.filter(host=host, at__lt=at, at__gte=year.start).order_by("at", "pk").last()
        ConsoleReading.objects.update_or_create(host=host, at=at, defaults={"used": used})
    fell = before is not None and before.used > used and at < year.end
    return Entered(at, used, before.used if fell and before is not None else None)
