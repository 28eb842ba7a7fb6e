"""Texts from a database that nobody has cleaned, made fit for ours."""

from unlade.texts import cut_name, storable

__all__ = ["cut_name", "storable"]
