from unlade.reassign.command import ReassignCommand


class Command(ReassignCommand):
    """`reassign_filemaker NAME`: give files of any declared import to another owner."""
