"""Builds the parts of a run from the settings; the one place that knows which setting feeds which part."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings as django_settings

from unlade.errors import SettingsError, UsageError
from unlade.governor.budget import Budget, Limit, annual
from unlade.governor.periods import Period, PeriodKind, parse_reset
from unlade.governor.quiet import QuietHours, parse_quiet_hours
from unlade.governor.settings import GovernorSettings, settings_for
from unlade.ledger.allowance import Allowance, share_used
from unlade.ledger.meter import Meter
from unlade.ledger.models import AllowanceSetting, Host
from unlade.ledger.terms import Terms, terms_of
from unlade.media import DecoderPool
from unlade.settings import Settings
from unlade.spool import Spool
from unlade.store import Store, open_store

if TYPE_CHECKING:
    from unlade.filemaker.config import ClarisPool, FileMakerConfig
    from unlade.signin.keeping import Keeping


def load_settings() -> Settings:
    """The settings of a Django process: environment, the project's `.env`, `settings.UNLADE`."""
    dotenv = getattr(django_settings, "UNLADE_DOTENV", None)
    return Settings(overlay=getattr(django_settings, "UNLADE", {}), dotenv=Path(dotenv) if dotenv else None)


def utc_now() -> datetime:
    """Wall time, aware."""
    return datetime.now(UTC)


@dataclass
class Rigging:
    """Makes a run's parts from `settings`. Every method raises `SettingsError` for a setting that cannot be used."""

    settings: Settings
    clock: Callable[[], datetime] = utc_now

    def filemaker_config(self) -> FileMakerConfig:
        """Where the host is and how to sign in."""
        from unlade.filemaker.config import FileMakerConfig

        s = self.settings
        ca_file = s.text("FILEMAKER_CA_FILE")
        return FileMakerConfig(
            url=s.need("FILEMAKER_URL").rstrip("/"),
            database=s.need("FILEMAKER_DATABASE"),
            account=s.text("FILEMAKER_ACCOUNT"),
            password=s.text("FILEMAKER_PASSWORD"),
            auth=s["FILEMAKER_AUTH"],
            claris_token=s.text("FILEMAKER_CLARIS_TOKEN"),
            claris_pool=self.claris_pool(),
            kept=self.kept_sign_in(),
            oauth_request_id=s.text("FILEMAKER_OAUTH_REQUEST_ID"),
            oauth_identifier=s.text("FILEMAKER_OAUTH_IDENTIFIER"),
            ca_file=Path(ca_file) if ca_file else None,
            read_timeout=s["FILEMAKER_READ_TIMEOUT"],
        )

    def claris_pool(self) -> ClarisPool:
        """Where Claris IDs are checked."""
        from unlade.signin.keeping import pool_of

        return pool_of(self.settings)

    def keeping(self) -> Keeping:
        """Where a sign-in with a Claris ID is kept between runs."""
        from unlade.signin.keeping import keeping_of

        return keeping_of(self.settings)

    def kept_sign_in(self) -> Keeping | None:
        """The kept sign-in, where runs are to use one."""
        from unlade.signin.keeping import kept_of

        return kept_of(self.settings)

    def host(self) -> Host:
        """The ledger's row of the host, made when it is new."""
        return Host.objects.get_or_create(key=self._host_key())[0]

    def _host_key(self) -> str:
        s = self.settings
        return f"{s.need('FILEMAKER_URL').rstrip('/')} {s.need('FILEMAKER_DATABASE')}"[:255]

    def store(self) -> Store:
        """Where files go."""
        s = self.settings
        spool, encryption = Path(s.need("UNLADE_SPOOL")), s.text("UNLADE_STORE_ENCRYPTION")
        return open_store(s.need("UNLADE_STORE"), spool=spool, encryption=encryption)

    def spool(self) -> Spool:
        """Where downloads in progress lie."""
        return Spool(Path(self.settings.need("UNLADE_SPOOL")), max_bytes=self.settings["UNLADE_SPOOL_MAX"])

    def decoders(self) -> DecoderPool:
        """The child processes that look at bytes; started when the first file comes."""
        s = self.settings
        time_limit: timedelta = s["UNLADE_DECODER_TIME"]
        return DecoderPool(
            s["UNLADE_DECODERS"],
            memory_limit=s["UNLADE_DECODER_MEMORY"],
            time_limit=time_limit.total_seconds(),
            pixel_limit=s["UNLADE_MAX_PIXELS"],
        )

    def zone(self) -> ZoneInfo:
        """The time zone of reset dates and days."""
        name = self.settings["UNLADE_TIME_ZONE"]
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            raise SettingsError(f"UNLADE_TIME_ZONE {name!r} is no time zone", remedy="Write Europe/Berlin.") from None

    def quiet_hours(self, given: str = "") -> QuietHours | None:
        """Hours in which nothing is asked of the host: `given` on the command line, else as set; None: there are none."""
        text = given or self.settings.text("UNLADE_QUIET_HOURS")
        if not text:
            return None
        try:
            return parse_quiet_hours(text, self.zone())
        except ValueError as error:
            if given:
                raise UsageError(f"--quiet-hours: {error}") from None
            raise SettingsError(f"UNLADE_QUIET_HOURS: {error}") from None

    def log_folder(self) -> Path:
        """Where scheduled runs write their logs."""
        text = self.settings.text("UNLADE_LOG")
        return Path(text or Path(self.settings.need("UNLADE_SPOOL")).parent / "log").absolute()

    def terms(self) -> Terms:
        """What limits wire bytes: what was set in the ledger for this host goes before the settings."""
        stored = None
        if self.settings.text("FILEMAKER_URL") and self.settings.text("FILEMAKER_DATABASE"):
            stored = AllowanceSetting.objects.filter(host__key=self._host_key()).first()
        return terms_of(self.settings, stored)

    def year(self) -> Period:
        """The contract year of the allowance."""
        try:
            month, day = parse_reset(self.terms().reset.value)
        except ValueError as error:
            raise SettingsError(f"UNLADE_ALLOWANCE_RESET: {error}") from None
        return Period("year", month, day, self.zone())

    def limits(self, max_bytes: int | None = None) -> Sequence[Limit]:
        """Every limit on wire bytes that is set; `max_bytes` is this run's own."""
        terms, zone = self.terms(), self.zone()
        limits = []
        if terms.annual.value is not None:
            limits.append(annual(terms.annual.value, self.year(), reserve_share=terms.reserve.value))
        for term in (terms.month, terms.day, terms.hour):
            if term.value is not None:
                kind = cast(PeriodKind, term.name)
                limits.append(Limit(kind, term.value, Period(kind, zone=zone)))
        if max_bytes is not None:
            limits.append(Limit("run", max_bytes, Period("run")))
        return limits

    def budget(self) -> Budget:
        """What is spent and what is left, as the ledger has it."""
        return Allowance(self.host(), self.limits(), run=None, clock=self.clock, others=self.others()).budget()

    def others(self) -> Meter:
        """What the host's meter counted beyond our books: by the console's readings, else UNLADE_ALLOWANCE_USED."""
        return Meter(self.host(), int(self.settings["UNLADE_ALLOWANCE_USED"] or 0))

    def share_used(self, now: datetime) -> float:
        """How much of the contract year's allowance is used or reserved, by everybody; 0.0 where none is set."""
        return share_used(self.budget(), now)

    def governor_settings(self, concurrency: int) -> GovernorSettings:
        """Pace, breaker and what a refused sign-in is recognised by."""
        s = self.settings
        try:
            chosen = settings_for(
                pace=s["UNLADE_PACE"],
                concurrency=concurrency,
                cool_downs=s["UNLADE_COOLDOWNS"],
                threshold=s["UNLADE_BREAKER_THRESHOLD"],
                credential=self._credential(),
                year=self.year() if self.terms().annual.value is not None else None,
            )
            gap, rate = s["UNLADE_MIN_GAP"], s["UNLADE_REQUESTS_PER_MINUTE"]
            pace = chosen.pace
            if gap is not None:
                pace = replace(pace, gap_min=gap, gap_max=max(gap, pace.gap_max))
            if rate is not None:
                pace = replace(pace, per_minute=rate)
            return replace(chosen, pace=pace)
        except ValueError as error:
            raise SettingsError(str(error)) from None

    def _credential(self) -> str:
        """A slow, salted hash: it is kept when the host refuses the sign-in, and must not give the password away."""
        s = self.settings
        names = ("FILEMAKER_ACCOUNT", "FILEMAKER_PASSWORD", "FILEMAKER_CLARIS_TOKEN", "FILEMAKER_OAUTH_IDENTIFIER")
        secret = "\0".join(s.text(name) for name in names)
        if (kept := self.kept_sign_in()) is not None:
            secret += f"\0{kept.fingerprint()}"
        salt = f"unlade {s.text('FILEMAKER_URL')} {s.text('FILEMAKER_DATABASE')}".encode()
        return hashlib.scrypt(secret.encode(), salt=salt, n=2**13, r=8, p=1, dklen=32).hex()
