from unlade.commands import ImportCommand


class Command(ImportCommand):
    """Import the clinic's clinics."""

    import_name = "clinics"
    help = "Bring the clinic's clinics from FileMaker into the database. Nothing is deleted here."
