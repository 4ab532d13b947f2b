"""What a user is meant to see: the one error, and the end by Ctrl-C."""


class EdgeclfError(Exception):
    """A mistake in what the user gave: one line with the value, the valid set and the mend.

    The command line prints it without a traceback and exits with 1; a traceback is for bugs.
    """


class ScoresError(EdgeclfError):
    """A model whose scores are not numbers."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, with a line on what was kept and how to go on.

    The command line prints it and exits with 130.
    """
