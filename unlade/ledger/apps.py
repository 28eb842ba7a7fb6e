from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, register


class LedgerConfig(AppConfig):
    """The ledger's tables; `label` keeps their names short and ours."""

    name = "unlade.ledger"
    label = "unlade"
    verbose_name = "unlade ledger"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Let `manage.py check` look at the declarations."""
        register(check_declarations)


def check_declarations(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """See `unlade.checks`, which is loaded only when somebody checks: every command of the project begins here."""
    from unlade import checks

    return checks.check_declarations(app_configs, **kwargs)
