"""Reads complaints with their narratives, and logs each reading: which function, when, which complaint and what for."""

from typing import Protocol

import boto3
from aws_lambda_powertools import Logger

from runtime.adapters.dynamodb import Table
from triage import tables
from triage.complaint import Complaint
from triage.errors import ComplaintMissingError


class NarrativeEnvironment(Protocol):
    @property
    def raw_complaints_table(self) -> str: ...


class Narratives:
    """purpose: what this function reads narratives for. The log names the function by the logger's service."""

    def __init__(
        self, environment: NarrativeEnvironment, session: boto3.Session, *, purpose: str, logger: Logger
    ) -> None:
        self._complaints = Table(session.client("dynamodb"), tables.RAW_COMPLAINTS, environment.raw_complaints_table)
        self._purpose = purpose
        self._logger = logger

    def read(self, complaint_id: str, **for_whom: str) -> Complaint:
        """Return a complaint and log the reading. for_whom: who asked for it, such as `requester` or `model`.

        Raises: ComplaintMissingError.
        """
        item = self._complaints.get(complaint_id)
        if item is None:
            raise ComplaintMissingError(f"{complaint_id} is not in raw_complaints; it was erased, or its id is wrong")
        self._logger.info("narrative read", extra={"complaint_id": complaint_id, "purpose": self._purpose, **for_whom})
        return Complaint.read(item)
