"""Several Parquet files as one that says of each row which split it is of."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow
import pyarrow.parquet

SPLIT_COLUMN = "split"


def merge(splits: Mapping[str, Sequence[Path]], target: Path) -> None:
    """Write the columns of the first file, of all files, and their split, into `target`, at the end and at once.

    Raises:
        pyarrow.ArrowException: a file is no Parquet, or a column has another type than in the first.
        KeyError: a file lacks a column of the first.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=target.parent) as temporary:
        draft = Path(temporary, target.name)
        _concatenate(splits, draft)
        draft.replace(target)


def _concatenate(splits: Mapping[str, Sequence[Path]], target: Path) -> None:
    """Batch by batch: a dataset may be larger than memory."""
    first = pyarrow.parquet.read_schema(next(path for paths in splits.values() for path in paths))
    kept = [name for name in first.names if name != SPLIT_COLUMN]
    schema = pyarrow.schema([*(first.field(name) for name in kept), (SPLIT_COLUMN, pyarrow.string())])
    with pyarrow.parquet.ParquetWriter(target, schema) as writer:
        for split, paths in splits.items():
            for path in paths:
                for batch in pyarrow.parquet.ParquetFile(path).iter_batches():
                    column = pyarrow.array([split] * batch.num_rows, pyarrow.string())
                    columns = [*batch.select(kept).columns, column]
                    writer.write_batch(pyarrow.record_batch(columns, schema=schema))
