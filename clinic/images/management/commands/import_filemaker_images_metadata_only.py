from unlade.existing.command import MetadataOnlyCommand


class Command(MetadataOnlyCommand):
    """Rows for images that are in the store already."""

    import_name = "images"
    help = "Write rows for images that lie in the store already, from metadata alone. Asks nothing of FileMaker."
