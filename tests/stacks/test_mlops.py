import pytest


@pytest.fixture
def mapping(synthesis):
    found = synthesis.stateless.of_type("AWS::Lambda::EventSourceMapping").values()
    return next(m for m in found if synthesis.readable(m["FunctionName"]) == "MLOps/Mirror")


def test_the_mirror_reads_the_stream_of_model_info(mapping, synthesis):
    assert synthesis.readable(mapping["EventSourceArn"]) == "Data/ModelInfo/Table.StreamArn"
    assert mapping["StartingPosition"] == "TRIM_HORIZON"


def test_every_change_of_a_row_reaches_the_mirror(mapping):
    """Clearing `failure` asks for another try."""
    assert "FilterCriteria" not in mapping


def test_the_mirror_takes_one_row_at_a_time(mapping):
    """A slow download must not delay other models of the same batch."""
    assert mapping["BatchSize"] == 1
