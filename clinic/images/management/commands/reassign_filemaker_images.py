"""Gives images to another patient than FileMaker names."""

from __future__ import annotations

from unlade.reassign.command import ReassignCommand


class Command(ReassignCommand):
    import_name = "images"
    help = "Give images to another patient than FileMaker names, in one audited transaction. Asks no FileMaker."
