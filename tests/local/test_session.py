from typing import Any

import pytest

from local.keys import Keys, NoKeysError
from local.session import REGION, loopback_session, session
from local.state import Instance, Ports, Process, State


@pytest.fixture(autouse=True)
def a_shell_with_aws_settings_of_its_own(monkeypatch, tmp_path):
    (tmp_path / "config").write_text("[default]\nregion = eu-central-1\nendpoint_url = https://example.invalid\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "a-profile-that-is-not-there")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAREAL")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://example.invalid")
    monkeypatch.setenv("HTTP_PROXY", "http://example.invalid")


def test_every_client_speaks_to_the_embedded_aws_alone():
    session = loopback_session("http://127.0.0.1:1", Keys.draw().credentials)
    for service in ("s3", "dynamodb", "stepfunctions"):
        client = session.client(service)
        assert client.meta.endpoint_url == "http://127.0.0.1:1"
        assert client.meta.region_name == REGION


def test_no_client_asks_the_shells_proxy():
    config: Any = loopback_session("http://127.0.0.1:1", Keys.draw().credentials).client("s3").meta.config
    assert config.proxies == {}


def test_a_session_of_an_instance_has_the_keys_of_its_state_folder(tmp_path):
    keys = Keys.create(State(tmp_path).create())
    instance = Instance(state=tmp_path, ports=Ports(), supervisor=Process(pid=1, started=1))
    credentials = session(instance).get_credentials()
    assert credentials is not None
    assert (credentials.access_key, credentials.secret_key) == (keys.access_key_id, keys.secret_access_key)


def test_no_session_is_made_where_nothing_was_started(tmp_path):
    instance = Instance(state=tmp_path, ports=Ports(), supervisor=Process(pid=1, started=1))
    with pytest.raises(NoKeysError, match="triage up"):
        session(instance)
