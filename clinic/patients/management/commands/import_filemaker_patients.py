from unlade.commands import ImportCommand


class Command(ImportCommand):
    """Import the clinic's patients."""

    import_name = "patients"
    help = "Bring the clinic's patients from FileMaker into the database. Nothing is deleted here."
