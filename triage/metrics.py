"""Names of the metrics that functions write and alarms watch."""

from enum import StrEnum
from typing import Final

NAMESPACE: Final = "ComplaintsTriage"


class Metric(StrEnum):
    ALLOCATED = "Allocated"
    """Complaints allocated, by route and journey."""
    ALLOCATION_TIME = "AllocationTime"
    """Milliseconds from the start of an execution to the first allocation, by route and journey."""
    MODEL_FAILED = "ModelFailed"
    """Models that gave no prediction, by task and arm."""
    SHADOW_FAILED = "ShadowFailed"
    """Shadow models that gave no prediction, by task and arm."""
    STRATEGY_REFUSED = "StrategyRefused"
    """Strategies that were edited by hand and are not followed."""
    REGISTRY_EDITED = "RegistryEdited"
    """Rows of `model_info` that were edited by hand and put back."""
    RECORD_ALTERED = "RecordAltered"
    """Records of a complaint that were rewritten or removed by hand."""
    SWEEP_FAILED = "SweepFailed"
    """Complaints that a sweep could neither restart nor park."""
    FEEDBACK_FAILED = "FeedbackFailed"
    """Rows of feedback that could be neither applied nor refused."""
    SAMPLE_RATIO_MISMATCH = "SampleRatioMismatch"
    """Strategies whose arms receive other shares than intended."""
    EMPTY_ARM = "EmptyArm"
    """Strategies with an arm that has a share and answers nothing."""
    SERVED_NOT_INTENDED = "ServedNotIntended"
    """Strategies for which a version answers that they do not name."""
