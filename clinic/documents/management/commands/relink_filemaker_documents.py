"""Links documents whose patient arrived after them."""

from __future__ import annotations

from unlade.relinking import RelinkCommand


class Command(RelinkCommand):
    import_name = "documents"
    help = "Look again for the patients of imported documents that have none. Nothing is fetched from FileMaker."
