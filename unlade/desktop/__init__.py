"""FileMaker Pro's side of a manual export: writes the script that exports, reads what was exported.

`script` generates FileMaker scripts and brings them to the clipboard; `read` reads manifests, metadata files and
folders. Pure: no Django, nothing is uploaded here. What FileMaker does stands in DESKTOP.md.
"""
