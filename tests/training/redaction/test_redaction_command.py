import pyarrow
import pyarrow.parquet
from typer import Typer
from typer.testing import CliRunner

from training.redaction.__main__ import main

app = Typer()
app.command()(main)


def test_the_command_shows_every_part_and_the_time():
    shown = CliRunner().invoke(app, [])
    assert shown.exit_code == 0
    for words in ("handwritten, tuned", "generated, held out", "handwritten, unseen", "date_of_birth", "ms"):
        assert words in shown.output


def test_the_command_shows_what_it_does_to_an_export(tmp_path):
    path = tmp_path / "export.parquet"
    narratives = ["my name is John Smith", "nothing"]
    pyarrow.parquet.write_table(pyarrow.table({"complaint_id": ["1", "3"], "narrative": narratives}), path)
    shown = CliRunner().invoke(app, ["--data", str(path)])
    assert "50.00%" in shown.output and "name replaced" in shown.output
