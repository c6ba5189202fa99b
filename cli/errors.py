"""The errors that end a command, each with its exit code.

0 done; 1 it failed; 2 wrong usage; 3 no such complaint, model or strategy; 4 no deployment to talk to.
"""


class CommandError(Exception):
    """Ends a command. The message says what is wrong and what to do next."""

    exit_code = 1


class WrongUsageError(CommandError):
    exit_code = 2


class NotFoundError(CommandError):
    exit_code = 3


class NoDeploymentError(CommandError):
    exit_code = 4
