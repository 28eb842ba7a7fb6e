"""Generates the FileMaker script that exports containers, brings it to the clipboard, checks what FileMaker made of it.

plan = plan_export("images", layout="API_Images", identity="id", containers=["photo", "photo(2)"])
for name, text in make_bundle(plan).files().items(): ...
"""

from unlade.desktop.script.bundle import ScriptBundle, make_bundle
from unlade.desktop.script.clipboard import copy_snippet, paste_snippet
from unlade.desktop.script.compare import Comparison, compare_scripts
from unlade.desktop.script.plan import ContainerField, ExportPlan, plan_export

__all__ = [
    "Comparison",
    "ContainerField",
    "ExportPlan",
    "ScriptBundle",
    "compare_scripts",
    "copy_snippet",
    "make_bundle",
    "paste_snippet",
    "plan_export",
]
