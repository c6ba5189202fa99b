import logging

from local.refusals import logged


def answering(service, action, principal_arn, request_id, **said):
    return 403, service, action, principal_arn, request_id, said


def test_a_refusal_is_answered_as_before_and_leaves_a_line(caplog):
    with caplog.at_level(logging.WARNING):
        answer = logged(answering)("lambda", "lambda:InvokeFunction", "arn:role/eve", "7", resource_arn="arn:erase")
    assert answer == (403, "lambda", "lambda:InvokeFunction", "arn:role/eve", "7", {"resource_arn": "arn:erase"})
    assert caplog.messages == ["refused: arn:role/eve may not lambda:InvokeFunction (AccessDenied)"]


def test_who_has_no_credentials_is_refused_as_somebody_unknown(caplog):
    logged(answering)("s3", "s3:GetObject", "", "7", error_code="InvalidAccessKeyId")
    assert caplog.messages == ["refused: somebody unknown may not s3:GetObject (InvalidAccessKeyId)"]
