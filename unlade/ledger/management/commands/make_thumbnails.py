from unlade.existing.command import ThumbnailCommand


class Command(ThumbnailCommand):
    """Thumbnails of stored files that lack one."""

    help = "Make the thumbnails that are missing, of any import; what was only listed is read and proven on the way."
