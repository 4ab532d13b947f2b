"""A command with many options, whose help shows them under headings."""

from typing import ClassVar

import click


class SectionedCommand(click.Command):
    """A command whose options stand in sections; one that is named in none stands in the last."""

    sections: ClassVar[dict[str, tuple[str, ...]]] = {}

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options of each section."""
        records = {
            param.name: record
            for param in self.get_params(ctx)
            if isinstance(param, click.Option) and (record := param.get_help_record(ctx))
        }
        named = {name for names in self.sections.values() for name in names}
        rest = tuple(name for name in records if name not in named)
        for title, names in {**self.sections, "Run": rest}.items():
            with formatter.section(title):
                formatter.write_dl([records[name] for name in names])
