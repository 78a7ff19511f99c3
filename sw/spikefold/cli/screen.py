"""Progress on stderr."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click


class Screen:
    """Where a command shows how far it is.

    Parameters
    ----------
    quiet
        Show nothing but errors.
    """

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet

    def note(self, text: str) -> None:
        """Print one line that the user should know."""
        if not self.quiet:
            click.echo(text, err=True)

    @contextmanager
    def status(self, text: str) -> Iterator[Callable[[str], None]]:
        """Show that a step of unknown length is going on; yields a function that changes its text."""
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (SpinnerColumn(finished_text="✓"), TextColumn("{task.description}"), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True), disable=self.quiet) as bar:
            task = bar.add_task(text, total=None)
            yield lambda text: bar.update(task, description=text)
            bar.update(task, total=1, completed=1)

    @contextmanager
    def samples(self, text: str) -> Iterator[Callable[[int, int], None]]:
        """Show samples done and in all; yields the function that is told both.

        Until the first call the length is unknown, as the simulator may still be compiling.
        """
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[count]}"),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=Console(stderr=True), disable=self.quiet) as bar:
            task = bar.add_task(text, total=None, count="building")

            def advance(done: int, total: int) -> None:
                bar.update(task, completed=done, total=total, count=f"{done}/{total} samples")

            yield advance
            bar.update(task, total=1, completed=1, count="done")
