"""`unlade survey`: what a database file holds, before anything is written; see `unlade.survey.file`."""

from __future__ import annotations

from unlade.survey.file import FieldSurvey, Survey, TableSurvey, advice_on, survey

__all__ = ["FieldSurvey", "Survey", "TableSurvey", "advice_on", "survey"]
