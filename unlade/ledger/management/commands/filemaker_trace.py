"""`filemaker_trace`: the story of one picture, or of one owner's, from ledger, rows and store."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from unlade.commands import UnladeCommand
from unlade.errors import UnladeError
from unlade.importer import ContainerImport, declared_all, get_any_import
from unlade.ledger.models import Item
from unlade.report.command import paper_options
from unlade.report.paper import Paper
from unlade.store import Store
from unlade.trace.page import put_list, put_owned, put_story
from unlade.trace.search import Hit, search
from unlade.trace.story import owned_by, story_of

#: Up to so many items are told in full, and up to so many are listed.
_STORIES, _LISTED = 3, 40


class Command(UnladeCommand):
    help = (
        "Tells what became of one picture: what the source had, every attempt, object, row and links; or of all "
        "pictures of one patient. Asks no FileMaker."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "what", metavar="ID|PATIENT|FILENAME|SHA256", help="record id, identity, owner's id, key, ..."
        )
        parser.add_argument("--source", metavar="NAME", default="", help="only of this declared import")

    def work(self, **options: Any) -> int:
        name, text = options["source"], str(options["what"])
        imports = {name: get_any_import(name)} if name else declared_all()
        hits = search(text, imports)
        store = self._store() if hits else None
        try:
            if options["json"]:
                return self._answer(text, hits, imports, store)
            return self._tell(text, hits, imports, store, options)
        finally:
            if store is not None:
                store.close()

    def _answer(self, text: str, hits: list[Hit], imports: dict[str, ContainerImport], store: Store | None) -> int:
        items = [item for hit in hits if not hit.owner for item in hit.items]
        unique = {item.pk: item for item in items}.values()
        code = 0 if hits else 1
        self.print_json(
            {
                "query": text,
                "outcome": "done" if hits else "failed",
                "reason": None if hits else "nothing goes by this",
                "items": [story_of(item, imports[item.source.name], store).as_json() for item in unique],
                "owners": [owned_by(hit.owner, hit.items, imports).as_json() for hit in hits if hit.owner],
                "exit": code,
            }
        )
        return code

    def _tell(
        self,
        text: str,
        hits: list[Hit],
        imports: dict[str, ContainerImport],
        store: Store | None,
        options: dict[str, Any],
    ) -> int:
        if not hits:
            return self.complain(
                UnladeError(
                    f"Nothing goes by {text}.",
                    remedy="Give a record id, an identity, the owner's id, a file name, a key or a sha256 in full.",
                )
            )
        zone = self.rigging.zone()
        paper = Paper(**paper_options(self.stdout, options))
        told: set[int] = set()
        for hit in hits:
            count = hit.items.count()
            if hit.owner:
                paper.put(f"{text} is an owner's id.", style="bold")
                put_owned(paper, owned_by(hit.owner, hit.items, imports))
                continue
            if count > _STORIES:
                paper.put(f"{text} is the {hit.how} of {count} items.", style="bold")
                put_list(paper, list(hit.items[:_LISTED]), count)
                continue
            fresh: list[Item] = [item for item in hit.items if item.pk not in told]
            if fresh:
                paper.put(f"{text} is {_article(hit.how)}.", style="bold")
            for item in fresh:
                told.add(item.pk)
                put_story(paper, story_of(item, imports[item.source.name], store), imports[item.source.name], zone)
        self.say(paper.text().rstrip())
        return 0

    def _store(self) -> Store | None:
        """The store, or None with a word on why: the story is told all the same."""
        try:
            return self.rigging.store()
        except UnladeError as error:
            self.stderr.write(f"The store is not looked at: {error}")
            return None


def _article(how: str) -> str:
    return f"an {how}" if how[0] in "aeiou" else f"a {how}"
