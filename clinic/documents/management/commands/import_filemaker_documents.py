from unlade.commands import ImportCommand


class Command(ImportCommand):
    """Import the clinic's documents."""

    import_name = "documents"
    help = "Bring the clinic's documents from FileMaker into the store and the database."
