from django.apps import AppConfig
from django.core.checks import register


class LedgerConfig(AppConfig):
    """The ledger's tables; `label` keeps their names short and ours."""

    name = "unlade.ledger"
    label = "unlade"
    verbose_name = "unlade ledger"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Let `manage.py check` look at the declarations."""
        from unlade import checks

        register(checks.check_declarations)
