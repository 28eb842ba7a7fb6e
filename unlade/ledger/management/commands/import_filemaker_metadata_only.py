from unlade.existing.command import MetadataOnlyCommand


class Command(MetadataOnlyCommand):
    """`import_filemaker_metadata_only NAME`: rows for files of any declared import that are in the store already."""

    help = "Write rows for files that lie in the store already, from metadata alone. Asks nothing of FileMaker."
