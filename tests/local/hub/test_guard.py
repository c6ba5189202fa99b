"""Who may use a Hub that is started for a state folder. Its routes are read from the application."""

import hashlib
import signal

import httpx2
import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError
from starlette.testclient import TestClient

from local.hub.api import ROUTES, application
from local.hub.guard import Guard
from local.hub.store import Store

ADDRESS = "http://127.0.0.1:8090"
TOKEN = {"Authorization": "Bearer token"}
PARTS = {
    "kind": "models",
    "owner": "acme",
    "name": "model",
    "revision": "main",
    "path": "a.json",
    "oid": "0" * 64,
    "branch": "b",
    "tag": "t",
}


@pytest.fixture
def client(tmp_path):
    return TestClient(Guard(application(Store(tmp_path)), "token", port=8090), base_url=ADDRESS)


def requests():
    """Yield a request to each route by each of its methods."""
    for route in ROUTES:
        for method in sorted(route.methods or ()):
            path = route.path.replace(":path", "")
            yield method, path.format_map(PARTS)


def test_no_route_is_open_without_the_token(client):
    tried = 0
    for method, path in requests():
        if path == "/health" or (method, path.rpartition("/")[0]) == ("PUT", "/lfs"):
            continue
        for headers in ({}, {"Authorization": "Bearer other"}, {"Authorization": "Basic token"}):
            assert client.request(method, path, headers=headers).status_code == 401, (method, path)
            tried += 1
    assert tried > 3 * 15


def test_no_route_is_open_to_a_web_page_even_with_the_token(client):
    for method, path in requests():
        for header in ({"Origin": "https://bank.example"}, {"Host": "bank.example"}):
            assert client.request(method, path, headers=TOKEN | header).status_code == 403, (method, path)


def test_the_token_opens_the_hub(client):
    assert client.get("/api/whoami-v2", headers=TOKEN).json()["type"] == "user"


def test_an_upload_that_nobody_announced_is_refused(client):
    content = b"anything"
    answer = client.put(f"/lfs/{hashlib.sha256(content).hexdigest()}", content=content)
    assert answer.status_code == 400
    assert "was not announced" in answer.json()["error"]


def test_the_client_uploads_large_files_by_its_token_alone(serve, tmp_path):
    with serve(tmp_path / "root", signal.SIGKILL) as hub:
        hub.create_repo("acme/kept")
        hub.upload_file(path_or_fileobj=b"x" * 2_000_000, path_in_repo="a.onnx", repo_id="acme/kept")
        assert hub.file_exists("acme/kept", "a.onnx")
        with pytest.raises(HfHubHTTPError):
            HfApi(endpoint=hub.endpoint, token=False).list_repo_files("acme/kept")
        assert httpx2.get(f"{hub.endpoint}/acme/kept/resolve/main/a.onnx").status_code == 401
