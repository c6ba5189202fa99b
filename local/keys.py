"""The secrets of one state folder. They are drawn at random, and nobody but the owner of the folder can read them."""

import contextlib
import os
import secrets
from typing import Self

from botocore.credentials import Credentials
from pydantic import BaseModel, ConfigDict

from local.state import LocalError, State, read, write_private


class NoKeysError(LocalError):
    """The state folder has no keys, because nothing was ever started in it."""


class Keys(BaseModel):
    """What a caller must know to be answered by the servers of a state folder.

    The embedded AWS takes signatures by `access_key_id` and `secret_access_key`. The Hub takes `hub` as a bearer token,
    and the model server takes `models`. The credentials that functions get are derived from `functions`.
    """

    model_config = ConfigDict(frozen=True)

    access_key_id: str
    secret_access_key: str
    functions: str
    hub: str
    models: str

    @property
    def credentials(self) -> Credentials:
        """The credentials of the root user of the embedded AWS."""
        return Credentials(self.access_key_id, self.secret_access_key)

    @classmethod
    def draw(cls) -> Self:
        return cls(
            access_key_id=f"AKIA{secrets.token_hex(8).upper()}",
            secret_access_key=secrets.token_urlsafe(30),
            functions=secrets.token_urlsafe(30),
            hub=f"hf_{secrets.token_hex(20)}",
            models=secrets.token_urlsafe(30),
        )

    @classmethod
    def create(cls, state: State) -> Self:
        """Return the keys of the folder. The first call draws them, also where several processes call at once."""
        if not state.keys.exists():
            staged = state.keys.with_suffix(f".{secrets.token_hex(8)}")
            write_private(staged, cls.draw().model_dump_json(indent=2))
            # A link fails where another process was faster. Its keys are then the keys of the folder.
            with contextlib.suppress(FileExistsError):
                os.link(staged, state.keys)
            staged.unlink()
        return cls.of(state)

    @classmethod
    def of(cls, state: State) -> Self:
        """Raises: NoKeysError where the folder has no keys."""
        found = read(state.keys, cls)
        if found is None:
            raise NoKeysError(f"{state.folder} has no keys: start the embedded AWS with `triage up`")
        return found
