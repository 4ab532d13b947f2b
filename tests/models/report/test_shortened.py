"""Names that are too long for a chart."""

from edgeclf.models.report.figures import shortened


def test_long_names_keep_both_ends() -> None:
    assert shortened("class number 460", length=10) == "class…460"
    assert shortened("oil", length=10) == "oil"
