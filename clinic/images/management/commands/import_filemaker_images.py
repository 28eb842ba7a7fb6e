from unlade.commands import ImportCommand


class Command(ImportCommand):
    """Import the clinic's images."""

    import_name = "images"
    help = "Bring the clinic's images from FileMaker into the store and the database."
