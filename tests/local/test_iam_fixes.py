import json
import logging

import pytest

from local.iam_fixes import context_of_batch_get, context_of_writes, for_each_item, logged, with_keys_of_item

KEYS = {"stories": "complaint_id"}


def context(**request):
    return context_of_writes(json.dumps(request).encode(), KEYS.get)


def put(complaint_id="FEEDBACK#1", **attributes):
    return {"TableName": "stories", "Item": {"complaint_id": {"S": complaint_id}, **attributes}}


def test_a_put_carries_its_partition_and_its_attributes():
    assert context(**put(by={"S": "ann"})) == {
        "dynamodb:LeadingKeys": ["FEEDBACK#1"],
        "dynamodb:Attributes": ["by", "complaint_id"],
    }


def test_attributes_of_a_condition_are_among_the_attributes():
    names = {"#asked": "team", "#map": "labels", "#part": "product"}
    asked = context(
        **put(), ConditionExpression="attribute_not_exists(#asked) OR #map.#part = :p", ExpressionAttributeNames=names
    )
    assert asked["dynamodb:Attributes"] == ["complaint_id", "labels", "team"]


def test_the_return_values_of_a_put_are_a_condition_key():
    assert context(**put(), ReturnValues="ALL_OLD")["dynamodb:ReturnValues"] == "ALL_OLD"


def update(expression, **more):
    key = {"complaint_id": {"S": "1"}, "entry": {"S": "HOLD#1"}}
    return {"TableName": "stories", "Key": key, "UpdateExpression": expression, **more}


@pytest.mark.parametrize(
    ("expression", "attributes"),
    [
        ("SET #a = :expires REMOVE #b", ["held", "team"]),
        ("set expires_at = if_not_exists(expires_at, :now), labels.product = :p", ["expires_at", "labels"]),
        ("ADD tries :one DELETE teams :old", ["teams", "tries"]),
        ("SET #a[0] = list_append (:more, size)", ["held", "size"]),
    ],
)
def test_an_update_carries_its_keys_and_whatever_it_changes(expression, attributes):
    found = context(**update(expression, ExpressionAttributeNames={"#a": "held", "#b": "team"}))
    assert found["dynamodb:Attributes"] == sorted(["complaint_id", "entry", *attributes])
    assert found["dynamodb:LeadingKeys"] == ["1"]


def test_an_update_has_the_attributes_of_its_condition():
    found = context(
        **update("REMOVE held", ConditionExpression="attribute_exists (placed_at) AND NOT team IN (:a, :b)")
    )
    assert found["dynamodb:Attributes"] == ["complaint_id", "entry", "held", "placed_at", "team"]


def test_each_item_of_a_transaction_is_judged_by_its_own_keys():
    body = json.dumps({"TransactItems": [{"Put": put(by={"S": "ann"})}, {"Update": update("SET team = :t")}]}).encode()
    listed = for_each_item(lambda *request: [("PutItem", "stories"), ("UpdateItem", "stories")], KEYS.get)
    judged = []
    decide = with_keys_of_item(lambda *asked, resource_arn, service_context: judged.append(service_context))
    for action, arn in listed("dynamodb:TransactWriteItems", body, "", ""):
        decide(
            "key", action, "dynamodb", "", resource_arn=arn, service_context={"dynamodb:Attributes": ["all"], "a": 1}
        )
    assert [one["dynamodb:Attributes"] for one in judged] == [["by", "complaint_id"], ["complaint_id", "entry", "team"]]
    assert [one["dynamodb:LeadingKeys"] for one in judged] == [["FEEDBACK#1"], ["1"]]
    assert {one["a"] for one in judged} == {1}


def test_what_is_no_transaction_is_judged_as_before():
    judged = []
    decide = with_keys_of_item(
        lambda *asked, resource_arn, service_context: judged.append((resource_arn, service_context))
    )
    decide("key", "s3:GetObject", "s3", "", "arn", {"a": 1})
    decide("key", "s3:GetObject", "s3", "")
    assert judged == [("arn", {"a": 1}), ("*", None)]


def test_a_batch_get_has_the_attributes_that_it_asks_for():
    keys, some = [{"complaint_id": {"S": "1"}}], "#id, labels.product"
    asked = {"Keys": keys, "ProjectionExpression": some, "ExpressionAttributeNames": {"#id": "complaint_id"}}
    found = context_of_batch_get(json.dumps({"RequestItems": {"stories": asked}}).encode())
    assert found == {"dynamodb:Attributes": ["complaint_id", "labels"], "dynamodb:Select": "SPECIFIC_ATTRIBUTES"}
    whole = {"stories": asked, "others": {"Keys": keys}}
    assert context_of_batch_get(json.dumps({"RequestItems": whole}).encode()) == {}
    assert context_of_batch_get(json.dumps({"RequestItems": {"stories": [{"PutRequest": {}}]}}).encode()) == {}


def test_an_update_in_a_transaction_is_found():
    found = context(TransactItems=[{"Put": put()}, {"Update": update("SET team = :t")}])
    assert found["dynamodb:Attributes"] == ["complaint_id", "entry", "team"]


@pytest.mark.parametrize(
    "request_of",
    [
        lambda *puts: {"TransactItems": [{"Put": one} for one in puts]},
        lambda *puts: {"RequestItems": {"stories": [{"PutRequest": {"Item": one["Item"]}} for one in puts]}},
    ],
    ids=["transaction", "batch"],
)
def test_a_put_in_a_transaction_or_batch_is_found(request_of):
    found = context(**request_of(put(), put("1", team={"S": "cards"})))
    assert found["dynamodb:LeadingKeys"] == ["FEEDBACK#1", "1"]
    assert found["dynamodb:Attributes"] == ["complaint_id", "team"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"Item": []}',
        b'{"TransactItems": 1}',
        json.dumps({"TableName": "stories", "Key": {"complaint_id": {"S": "1"}}}).encode(),
        json.dumps({"RequestItems": {"stories": {"Keys": [{"complaint_id": {"S": "1"}}]}}}).encode(),
    ],
)
def test_a_request_without_writes_gets_no_condition_keys(body):
    assert context_of_writes(body, KEYS.get) == {}


def answering(service, action, principal_arn, request_id, **said):
    return 403, service, action, principal_arn, request_id, said


def test_a_refusal_is_answered_as_before_and_leaves_a_line(caplog):
    with caplog.at_level(logging.WARNING):
        answer = logged(answering)("lambda", "lambda:InvokeFunction", "arn:role/eve", "7", resource_arn="arn:erase")
    assert answer == (403, "lambda", "lambda:InvokeFunction", "arn:role/eve", "7", {"resource_arn": "arn:erase"})
    assert caplog.messages == ["refused: arn:role/eve may not lambda:InvokeFunction (AccessDenied)"]


def test_a_caller_without_credentials_is_logged_as_somebody_unknown(caplog):
    logged(answering)("s3", "s3:GetObject", "", "7", error_code="InvalidAccessKeyId")
    assert caplog.messages == ["refused: somebody unknown may not s3:GetObject (InvalidAccessKeyId)"]
