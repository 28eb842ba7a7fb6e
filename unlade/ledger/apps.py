from django.apps import AppConfig


class LedgerConfig(AppConfig):
    """The ledger's tables; `label` keeps their names short and ours."""

    name = "unlade.ledger"
    label = "unlade"
    verbose_name = "unlade ledger"
    default_auto_field = "django.db.models.BigAutoField"
