"""Recognises requests that come from a web page. Every server on loopback refuses them, because a browser can reach it.

A page of another site can send requests to 127.0.0.1. It states its site as the Origin. A page whose name was pointed
at 127.0.0.1 (DNS rebinding) sends its own name as the Host.
"""

from collections.abc import Iterable

from local.state import LOOPBACK

_NAMES = (LOOPBACK, "localhost")
_OWN_SITES = frozenset({"same-origin", "none"})


def foreign(headers: Iterable[tuple[str, str]], port: int) -> str | None:
    """Return why a request is not from this machine's own programs, or None if it may be.

    headers: the names, in any case, and the values, as they were sent.
    """
    sent: dict[str, list[str]] = {}
    for name, value in headers:
        sent.setdefault(name.lower(), []).append(value.strip().lower())
    hosts = [f"{name}:{port}" for name in _NAMES]
    if len(sent.get("host", [])) != 1 or sent["host"][0] not in hosts:
        return f"the Host header is not {hosts[0]}"
    if any(origin not in {f"http://{host}" for host in hosts} for origin in sent.get("origin", [])):
        return "the Origin header names another site"
    if not _OWN_SITES.issuperset(sent.get("sec-fetch-site", [])):
        return "the Sec-Fetch-Site header names another site"
    return None
