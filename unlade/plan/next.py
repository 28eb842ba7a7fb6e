"""What to type to take the recommended road."""

from __future__ import annotations

from django.core.management import get_commands

from unlade.plan.compare import Comparison
from unlade.report.advice import MANAGE, import_command


def command_for(found: Comparison) -> str:
    """The command for `found.advice`, "" when there is nothing to type."""
    names = [stock.name for stock in found.stocks if stock.outlook.items]
    if found.uncounted and not names:
        return f"{import_command(found.uncounted[0].name)} --limit 20"
    if not names:
        return ""
    ground, key = found.ground, found.advice.key
    if key == "A":
        return f"{import_command(names[0])} --limit {ground.bearable(50)}"
    if key == "B":
        return scheduled(names, f"--every 6h --limit {ground.bearable(100)}")
    if key == "G" and ground.limit is not None:
        return scheduled(names, f"--every 1h --limit {ground.bearable(ground.limit)}")
    if key == "G":
        whole = f"{MANAGE} import_filemaker_all" if len(names) > 1 and _has("import_filemaker_all") else ""
        return f"{whole or import_command(names[0])} --wait"
    if key == "C":
        return f"{MANAGE} filemaker_export_script {names[0]}" if _has("filemaker_export_script") else ""
    return ""


def scheduled(names: list[str], how: str) -> str:
    """What installs the schedule, or what to give to a scheduler where there is no such command."""
    if _has("filemaker_schedule"):
        return f"{MANAGE} filemaker_schedule install {' '.join(names)} {how}"
    return f"{import_command(names[0])} {how[how.index('--limit') :]}"


def _has(command: str) -> bool:
    return command in get_commands()
