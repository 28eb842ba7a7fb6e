from unlade.commands import ImportCommand


class Command(ImportCommand):
    """`import_filemaker NAME`: run any declared import."""
