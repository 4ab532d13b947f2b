"""The one error that a user is meant to see."""


class EdgeclfError(Exception):
    """A mistake in what the user gave: one line with the value, the valid set and the mend.

    The command line prints it without a traceback and exits with 1; a traceback is for bugs.
    """
