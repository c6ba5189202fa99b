"""The flag together with what the writer says: the rule that sends a customer on the specialist journey.

Without the tags of the form. They are the very label that is measured here, so with them every tagged customer would
be found by definition.
"""

from dataclasses import replace

import numpy as np

from training.data.dataset import LabelledRow
from training.evaluation.predictions import Predictions
from training.evaluation.scored_answers import Judged
from triage.complaint import Complaint
from triage.vulnerability import stated


def with_rule(predictions: Predictions) -> Judged:
    """The answers with the positive label wherever the model or the narrative says so.

    Raises:
        ValueError: the task looks for no label.
    """
    judged = predictions.judged
    place = judged.positive_place
    if place is None:
        raise ValueError(f"the task {predictions.task} looks for no label")
    certain = np.eye(len(judged.labels))[place]
    said = np.array([says_so(row) for row in predictions.rows], dtype=np.bool_)
    return replace(judged, probability=np.where(said[:, None], certain, judged.probability))


def says_so(row: LabelledRow) -> bool:
    """Whether the narrative itself says that its writer is vulnerable."""
    complaint = Complaint.read({"complaint_id": str(row.row), "narrative": row.narrative})
    return any(source.source == "said" for source in stated(complaint))
