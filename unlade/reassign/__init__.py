"""Gives files to another owner than the source names: a person's choice, audited, that no later import undoes."""
