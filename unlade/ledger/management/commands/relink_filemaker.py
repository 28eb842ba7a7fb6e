from unlade.relinking import RelinkCommand


class Command(RelinkCommand):
    """`relink_filemaker NAME`: link the files of any declared import to owners that came later."""
