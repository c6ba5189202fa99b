import io
import sys
import threading

from local.captured import Capture


def test_what_a_thread_prints_is_its_own(monkeypatch):
    outside = io.StringIO()
    monkeypatch.setattr(sys, "stdout", outside)
    capture = Capture().install()
    printed: dict[str, list[str]] = {}

    def speak(name: str) -> None:
        with capture.lines() as lines:
            print(name)
        printed[name] = lines

    threads = [threading.Thread(target=speak, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print("outside")
    assert {name: "".join(lines) for name, lines in printed.items()} == {"one": "one\n", "two": "two\n"}
    assert outside.getvalue() == "outside\n"


def test_errors_are_captured_too(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with Capture().install().lines() as lines:
        print("wrong", file=sys.stderr)
    assert "".join(lines) == "wrong\n"
