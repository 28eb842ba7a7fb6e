from unlade.existing.command import MetadataOnlyCommand


class Command(MetadataOnlyCommand):
    """Rows for documents that are in the store already."""

    import_name = "documents"
    help = "Write rows for documents that lie in the store already, from metadata alone. Asks nothing of FileMaker."
