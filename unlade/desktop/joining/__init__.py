"""Joins what an export says to the files that lie there: by a manifest, by a metadata file, or by the tree alone.

Nothing is guessed: a file that fits two records belongs to neither, a record with two files gets none, and each such
case is a finding. Source: DESKTOP.md 8.5.
"""

from __future__ import annotations

from unlade.desktop.joining.declared import Declares, Fields, Match, text_of
from unlade.desktop.joining.entering import enter_files, file_row, made_up_id, take_files
from unlade.desktop.joining.manifest import join_manifest
from unlade.desktop.joining.metadata import join_metadata
from unlade.desktop.joining.tree import join_tree

__all__ = [
    "Declares",
    "Fields",
    "Match",
    "enter_files",
    "file_row",
    "join_manifest",
    "join_metadata",
    "join_tree",
    "made_up_id",
    "take_files",
    "text_of",
]
