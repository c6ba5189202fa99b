"""The image is built from what a deployment stages, and its size is held."""

import pytest

from tests.ci.scripts import script

image = script("image")


@pytest.mark.parametrize(("size", "code"), [(1_500_000_000, 0), (10_100_000_000, 1)])
def test_an_image_that_lambda_does_not_take_fails(programs, tmp_path, monkeypatch, capfd, size, code):
    monkeypatch.setattr(image, "BUILD", tmp_path / "build")
    monkeypatch.setattr("stacks.packages.BUILD", tmp_path / "build")
    programs.add("docker", ("inspect", str(size), 0), ("build", "", 0))
    assert image.main() == code
    said = capfd.readouterr()
    assert f"{size / 1e9:.1f} GB uncompressed" in said.out
    assert ("remove a library" in said.err) == (code == 1)
    (built, inspected) = programs.calls("docker")
    context = tmp_path / "build" / "image-sources"
    assert built[-1] == str(context) and "--platform=linux/arm64" in built
    assert {"Dockerfile", "requirements.lock", "triage", "runtime"} == {path.name for path in context.iterdir()}
    assert inspected[-1] in built
