"""Links images whose patient arrived after them."""

from __future__ import annotations

from unlade.relinking import RelinkCommand


class Command(RelinkCommand):
    import_name = "images"
    help = "Look again for the patients of imported images that have none. Nothing is fetched from FileMaker."
