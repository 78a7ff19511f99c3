"""The group of all commands."""

import json
import sys
from collections.abc import Sequence
from typing import Any

import click

from spikefold import __version__
from spikefold.cli.analyze import analyze
from spikefold.cli.bitstream import bitstream
from spikefold.cli.boards import boards
from spikefold.cli.cache import cache
from spikefold.cli.compile import compile_
from spikefold.cli.demo import demo
from spikefold.cli.examples import examples
from spikefold.cli.export import export
from spikefold.cli.failure import check_stdout, fail, flush_stdout
from spikefold.cli.images import images
from spikefold.cli.import_ import import_
from spikefold.cli.infer import infer
from spikefold.cli.patch import patch
from spikefold.cli.serve_sim import serve_sim
from spikefold.cli.simulate import simulate
from spikefold.cli.synth import synth
from spikefold.cli.train import train
from spikefold.cli.verify import verify

_HELP = """Integer-spike networks from PyTorch to multiplier-free Verilog, equal bit for bit.

Results are printed on stdout, everything else on stderr.

\b
Examples:
  spikefold demo
  spikefold examples
  spikefold train examples/digits.toml -o digits.safetensors
  spikefold compile digits.safetensors -o build/
  spikefold verify build/ --samples 1000 --stall 0.2
  spikefold synth build/ --device ecp5-85k --json
  spikefold analyze digits.safetensors -o analysis/
"""

_EPILOG = """\b
Exit codes:
  0  done; for verify: everything equal
  1  any other error, also one of spikefold itself; --debug shows where
  2  the command line itself is wrong: unknown option, missing argument
  3  bad input: an option's value, a recipe, model, build or sample file
  4  a tool is missing; the message says how to install it
  5  an external tool failed, or the simulated design hung
  6  verification failed: a value or a cycle differs
  7  an attached device does not answer, or is another one
"""

_FLAGS = frozenset({"--json", "-v", "-vv", "--verbose", "-q", "--quiet", "--debug"})
_VALUED = "--memory-limit"


class _Group(click.Group):
    """A group in which any error is one line, an exit code and, where `--json` was asked for, one object."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> Any:
        given = sys.argv[1:] if args is None else list(args)
        try:
            check_stdout()
            try:
                return super().main(given, *rest, **options)
            except SystemExit:
                flush_stdout()
                raise
        except Exception as error:
            sys.exit(fail(error, "--json" in given))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta["spikefold.json"] = "--json" in args
        return super().parse_args(ctx, _with_shared_last(args))

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            if ctx.meta["spikefold.json"]:
                click.echo(json.dumps({"error": error.format_message(), "kind": "UsageError"}))
            raise


def _with_shared_last(args: list[str]) -> list[str]:
    """Move options that every command has from before the command's name to just after it."""
    end = 0
    while end < len(args) and (args[end] in _FLAGS or args[end].startswith(_VALUED)):
        end += 2 if args[end] == _VALUED else 1
    return [*args[end : end + 1], *args[:end], *args[end + 1 :]] if end < len(args) else args


@click.group(cls=_Group, help=_HELP, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", message="spikefold %(version)s")
def main() -> None:  # noqa: D103 - the help is above
    pass


for _command in (
    *(train, import_, compile_, verify, simulate, synth, bitstream, patch, boards),
    *(images, infer, serve_sim, analyze, demo, examples, export, cache),
):
    main.add_command(_command)
