"""Stories as text for a person: ids, dates, sizes and codes, never a field's value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any

from rich.text import Text

from unlade.importer import ContainerImport
from unlade.ledger import events
from unlade.ledger.models import Item
from unlade.records.declaring import RecordImport
from unlade.report.advice import MANAGE
from unlade.report.paper import STYLES, Paper, grid
from unlade.report.reasons import reason
from unlade.report.status_text import MEANING
from unlade.report.words import plural, stamp
from unlade.trace.story import Chapter, Owned, Story
from unlade.units import format_count, format_size

#: Attempts whose result is worth no word.
_DULL = ("taken", "empty")

#: Reasons whose sentence says all that their detail says.
_SAID = ("owner_missing", "chosen_missing", "no_owner_reference", "connection", "timeout", "gateway")

_SHOWN = 60  #: lines of one owner


def put_story(paper: Paper, story: Story, importer: ContainerImport, zone: tzinfo) -> None:
    """One item's story."""
    item = story.item
    slot = f", {item.slot}" if item.slot else ""
    paper.heading(f"{item.source.name}, record {item.record_id}{slot}")
    table = grid("l", "w")
    _what_it_was(table, story)
    _what_it_is(table, story, importer, zone)
    paper.put(table)
    paper.put()
    paper.put("What happened", style="bold", indent=2)
    history = grid("l", "l", "w")
    for chapter in story.chapters:
        run = f"run {chapter.run}" if chapter.run is not None else ""
        history.add_row(f"  {stamp(chapter.at, zone)}", run, _told(chapter, zone))
    if not story.chapters:
        history.add_row(f"  {stamp(item.seen_at, zone)}", "", "listed; nothing was tried yet")
    paper.put(history)


def _what_it_was(table: Any, story: Story) -> None:
    item = story.item
    _row(table, "record", f"{item.record_id}, modification {item.mod_id}" if item.mod_id else item.record_id)
    _row(table, "identity", item.identity or "none")
    named = " or ".join(filter(None, item.owner_refs)) or item.owner_ref or "none"
    chosen = f"; a person chose owner {item.owner_row}, which no import undoes" if item.owner_row else ""
    _row(table, "owner", f"{named}, by the record{chosen}")
    day = item.day.isoformat() if item.day else "none"
    raw = f", {story.raw_day} in the source" if story.raw_day and story.raw_day != day else ""
    _row(table, "date", f"{day}{raw}")


def _owner_noun(importer: ContainerImport) -> str:
    """What this project calls the one that a file, or a record, belongs to."""
    if isinstance(importer, RecordImport):
        link = next(iter(importer.links().values()), None)
        return str(link.owner.model_class._meta.verbose_name) if link else "owner"
    return str(importer.owner.model_class._meta.verbose_name) if importer.owner else "owner"


def _what_it_is(table: Any, story: Story, importer: ContainerImport, zone: tzinfo) -> None:
    item = story.item
    owner = _owner_noun(importer)
    meaning = MEANING.get(item.state, "").replace("{owner}", str(owner))
    why = f" ({item.reason})" if item.reason else ""
    _row(table, "state", Text.assemble((item.state, STYLES.get(item.state, "")), f": {meaning}{why}"))
    if item.gone_at:
        _row(table, "gone", f"no longer in the source since {stamp(item.gone_at, zone)}; what is here stays")
    if item.accepted_why:
        _row(table, "accepted", f"by {item.accepted_by}: {item.accepted_why}")
    if item.field:
        lesser = ", a lesser copy: the better field's file is damaged" if item.lesser_copy else ""
        _row(table, "taken from", f"{item.field}{lesser}")
    if item.key:
        _row(table, "object", item.key)
        size = f"{format_count(item.size)} bytes" if item.size is not None else ""
        pixels = f"{item.width} x {item.height}" if item.width and item.height else ""
        _row(table, "", ", ".join(part for part in (size, item.mime_type, pixels) if part))
        _row(table, "sha256", item.sha256)
        proven = f"read and proven {stamp(item.proven_at, zone)}" if item.proven_at else "never read and proven"
        _row(table, "in the store", f"{story.object} now; {proven}")
    if item.thumbnail_key:
        _row(table, "thumbnail", item.thumbnail_key)
    if item.spare_key:
        _row(table, "damaged copy", item.spare_key)
    if item.row:
        _row(table, "row", _row_now(story, str(owner)))
    if item.marked_at:
        _row(table, "marked", f"in FileMaker, {stamp(item.marked_at, zone)}")


def _row(table: Any, name: str, value: str | Text) -> None:
    table.add_row(Text(f"  {name}", style="dim"), value)


def _row_now(story: Story, owner: str) -> str:
    row = story.row
    if not story.row_looked_at:
        return f"{story.item.row}, not looked at"
    if row is None:
        return f"{story.item.row}, missing now"
    whose = f"{owner} {row.owner}" if row.owner is not None else f"no {owner}"
    return f"{story.item.row}, of {whose}"


def _told(chapter: Chapter, zone: tzinfo) -> str:
    """One event in a sentence."""
    detail, what = chapter.detail, chapter.what
    by = f" by {detail['by']}" if detail.get("by") else ""
    if what == events.LINKED:
        return f"linked to owner {detail.get('owner', '?')}"
    if what == events.REASSIGNED:
        return _reassigned(detail, by)
    if what == events.REKEYED:
        return f"its file was moved{by} to {detail.get('key', '?')}"
    if what == events.OWNER_LOST:
        return "its owner's row was deleted; the file waits for its owner again"
    if what == events.ACCEPTED:
        return f"accepted{by or ' by the declaration'}{_colon(detail.get('why') or detail.get('reason'))}"
    if what == events.REOPENED:
        return f"opened again{by}"
    if what == events.AGAIN:
        aside = f"; its damaged file was set aside as {detail['set_aside']}" if detail.get("set_aside") else ""
        return f"handed to the next run{by}{aside}"
    if what == events.BY_HAND:
        return f"written by hand{by}"
    if what == events.GONE:
        return "no longer in the source"
    if what == events.DAMAGED:
        return "a check read its object and found other bytes"
    return _settled(what, detail, zone)


def _reassigned(detail: Mapping[str, Any], by: str) -> str:
    why, to = _colon(detail.get("why")), detail.get("to")
    if detail.get("back"):
        return f"given back{by} to whom the record names{f', owner {to}' if to else ''}{why}"
    named = f" ({detail['to_id']})" if detail.get("to_id") else ""
    return f"given{by} to owner {to}{named}, from {f'owner {o}' if (o := detail.get('origin')) else 'nobody'}{why}"


def _settled(what: str, detail: Mapping[str, Any], zone: tzinfo) -> str:
    parts = [what]
    if detail.get("field"):
        parts[0] += f", from {detail['field']}"
    if detail.get("owner"):
        parts[0] += f", linked to owner {detail['owner']}"
    if detail.get("reason"):
        parts[0] += f": {reason(detail['reason']).sentence.rstrip('.')}"
    tried = [
        f"{attempt['field']}: {attempt['result']}"
        for attempt in detail.get("attempts", [])
        if attempt.get("result") not in _DULL
    ]
    if tried:
        parts.append(", ".join(tried))
    elif detail.get("text") and detail.get("reason") not in _SAID:
        parts.append(str(detail["text"]).rstrip("."))
    if detail.get("next_try_at"):
        parts.append(f"next try from {stamp(datetime.fromisoformat(detail['next_try_at']), zone)}")
    return "; ".join(parts)


def _colon(text: object) -> str:
    return f": {text}" if text else ""


def put_list(paper: Paper, items: Sequence[Item], count: int) -> None:
    """Too many for stories: what there is, and how to ask for one."""
    table = grid("l", "l", "l", "w")
    for item in items:
        day = item.day.isoformat() if item.day else "no date"
        table.add_row(
            f"  {item.source.name}", f"record {item.record_id}", day, Text(item.state, style=STYLES.get(item.state, ""))
        )
    paper.put(table)
    if count > len(items):
        paper.put(f"... and {format_count(count - len(items))} more; --json lists all.", style="dim", indent=2)
    paper.put("For the story of one:", indent=2)
    paper.command(f"{MANAGE} filemaker_trace {items[0].identity or items[0].record_id}", indent=4)


def put_owned(paper: Paper, owned: Owned) -> None:
    """What became of one owner's files."""
    paper.heading(f"Owner {owned.owner}", ", ".join(owned.rows) or "has no row here")
    had = plural(owned.found, ("file or record", "files or records"))
    states = ", ".join(f"{format_count(count)} {state}" for state, count in sorted(owned.states.items()))
    gone = (
        f"; {format_count(owned.gone)} more {'is' if owned.gone == 1 else 'are'} gone from the source and kept here"
        if owned.gone
        else ""
    )
    paper.put(f"The source has {had}: {states}; {format_size(owned.size)}{gone}.", indent=2)
    table = grid("l", "l", "l", "l", "r", "w")
    for line in owned.lines[:_SHOWN]:
        note = line.why or line.reason or ""
        if line.gone:
            note = f"gone from the source{_colon(note)}"
        table.add_row(
            f"  {line.source}",
            f"{line.record_id}{f' {line.slot}' if line.slot else ''}",
            line.day.isoformat() if line.day else "no date",
            Text(line.state, style=STYLES.get(line.state, "")),
            format_size(line.size) if line.size is not None else "",
            note,
        )
    paper.put(table)
    if len(owned.lines) > _SHOWN:
        paper.put(f"... and {format_count(len(owned.lines) - _SHOWN)} more; --json lists all.", style="dim", indent=2)
