"""The error of a part of an image file that is not as its format says."""


class DamageError(Exception):
    """What is wrong with the file, in a few words."""


CUT_SHORT = "cut short"
