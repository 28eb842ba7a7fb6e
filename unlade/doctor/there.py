"""What can be looked at on the host's side: address, sign-in, version, layouts, counts, weight, container policy."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from unlade.cargo import ContainerRef, RefStatus, SourceRecord
from unlade.doctor.lines import Line
from unlade.errors import SourceError, Transient
from unlade.filemaker import DataApiSource, FileMakerConfig, Weight
from unlade.filemaker.records import ISO_DATES_SINCE
from unlade.importer import ContainerImport
from unlade.units import format_count, format_size

#: What a record of a lean layout weighs at the most, in bytes of JSON.
LEAN = 4_000
#: A single field above this is named even on a lean layout.
_FAT_FIELD = 1_000
_SAMPLE, _LOOK_THROUGH = 10, 20


def look_at_address(config: FileMakerConfig, source: DataApiSource) -> Iterator[Line]:
    """The host answers under its name, with a certificate that can be trusted, and says what it is."""
    product = source.ping()
    if config.scheme == "https":
        trusted = f", and by {config.ca_file}" if config.ca_file else ""
        yield Line("ok", "address", f"{config.url} answers; its certificate is trusted by the system{trusted}")
    else:
        yield Line("ok", "address", f"{config.url} answers; unencrypted, which this machine's own address may be")
    yield _version(product.name, product.version, product.major)


def _version(name: str, version: str, major: int) -> Line:
    if not major:
        return Line("warning", "version", f"{name or 'the host'} does not tell a version that can be read")
    dates = "ISO dates" if major >= ISO_DATES_SINCE else "dates in US form, which are read as such"
    return Line("ok", "version", f"{name} {version}: {dates}")


def look_at_login(config: FileMakerConfig, sign_in: Callable[[], None]) -> Iterator[Line]:
    """The account is accepted, which also means that it has the extended privilege fmrest (FILEMAKER.md 1.7)."""
    sign_in()
    who = {"basic": "the FileMaker account", "claris-id": "the Claris ID", "oauth": "the OAuth identifier"}[config.auth]
    yield Line("ok", "login", f"{who} may use the Data API of database {config.database} (fmrest)")


def look_at_count(topic: str, source: DataApiSource, expect: int | None = None) -> Iterator[Line]:
    """What this account sees against what there is (CONTRACT B1), and against what somebody with full access saw."""
    count = source.count()
    if expect is not None and count.found != expect:
        yield Line(
            "error",
            topic,
            f"this account sees {format_count(count.found)} records; --expect says {format_count(expect)}",
            "Compare with FileMaker Pro under full access; the account's privileges may hide records.",
        )
    if count.total is not None and count.total != count.found:
        yield Line(
            "warning",
            topic,
            f"this account sees {format_count(count.found)} of {format_count(count.total)} records",
            "Let its privilege set view all records of the table, or make sure that the rest is none of yours.",
        )
    elif count.found == 0:
        yield Line("warning", topic, "there are no records", "See whether the layout shows the right table.")
    else:
        whole = "" if count.total is None else ", all that the table has"
        yield Line("ok", topic, f"{format_count(count.found)} records{whole}")


def look_at_weight(topic: str, importer: ContainerImport, source: DataApiSource) -> Iterator[Line]:
    """What a record weighs on a sample page, with the fattest fields named (LESSONS 5)."""
    weight = source.weigh(_SAMPLE)
    if not weight.records:
        yield Line("ok", topic, "no record to weigh")
        return
    per = f"{format_size(weight.bytes_per_record)} a record (mean of {weight.records})"
    if weight.bytes_per_record <= LEAN:
        yield Line("ok", topic, f"lean: {per}")
        return
    needed = set(importer.fields_needed())
    fat = [(name, size) for name, size in weight.fattest if size > _FAT_FIELD] or list(weight.fattest[:3])
    named = ", ".join(
        f"{name} {format_size(size)}{'' if name in needed else ' (not needed)'}" for name, size in fat[:4]
    )
    yield Line(
        "warning",
        topic,
        f"fat: {per}, {_listing(weight, source)}; fattest: {named}",
        f"Read through a lean layout that shows the declared fields alone, or name one as `response_layout`"
        f" in the declaration of {importer.name}.",
    )


def _listing(weight: Weight, source: DataApiSource) -> str:
    whole = weight.bytes_per_record * source.count().found
    return f"{format_size(whole)} for one full listing"


def look_at_policy(topic: str, importer: ContainerImport, source: DataApiSource) -> Iterator[Line]:
    """How the host hands out files. The download is broken off before any of the body is read (CONTRACT B4)."""
    records = source.page(1, _LOOK_THROUGH).records
    pairs = list(_files(records, importer))
    if not pairs:
        filled = f"no file in the declared containers of the first {len(records)} records"
        yield Line("warning", topic, f"{filled}; how the host hands them out cannot be seen")
        return
    record, ref = pairs[0]
    try:
        policy = source.policy(record, ref)
    except Transient as error:
        yield Line("warning", topic, f"{error}", "One file alone may be to blame; a run will tell.")
        return
    except SourceError as error:
        yield Line("error", topic, str(error), error.remedy)
        return
    if policy.mode == "open":
        yield Line(
            "warning",
            topic,
            "open: whoever has a container's link gets the file, without signing in",
            "On the host: fmsadmin set serverprefs AuthenticatedStream=1 (protected). unlade works with both.",
        )
    else:
        where = "a relative address" if policy.relative_redirect else "a full address"
        yield Line("ok", topic, f"protected: a redirect to {where} and a cookie come before the bytes")


def _files(records: tuple[SourceRecord, ...], importer: ContainerImport) -> Iterator[tuple[SourceRecord, ContainerRef]]:
    """Files of the declared fields, the least of them first: in open mode a little of the body may be on its way."""
    for name in reversed(importer.containers):
        for record in records:
            ref = record.containers.get(name)
            if ref is not None and ref.status is RefStatus.FILE:
                yield record, ref
