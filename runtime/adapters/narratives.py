"""Reads complaints with their narratives, and says so each time: which function did, when, whose and what for."""

from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools import Logger

from runtime.adapters.dynamodb import Table
from triage.errors import ComplaintMissingError


class Narratives:
    """purpose: of every read through it; the log says who reads by the service's name."""

    def __init__(self, complaints: Table, *, purpose: str, logger: Logger) -> None:
        self._complaints = complaints
        self._purpose = purpose
        self._logger = logger

    def read(self, complaint_id: str, **asked: str) -> Mapping[str, Any]:
        """asked: who wants it, where somebody does.

        Raises: ComplaintMissingError.
        """
        item = self._complaints.get(complaint_id)
        if item is None:
            raise ComplaintMissingError(f"{complaint_id} is not in raw_complaints")
        self._logger.info("narrative read", extra={"complaint_id": complaint_id, "purpose": self._purpose, **asked})
        return item
