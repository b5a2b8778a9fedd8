# SPDX-License-Identifier: Apache-2.0
"""The command line: thin, with one exit status for each side's mistakes.

0 done, 2 the user's mistake (one line on stderr), 1 ours. With ``--json`` exactly one JSON object
goes to stdout and everything else to stderr. Imports are inside of the commands, so that a command
pays only for what it uses.
"""

from __future__ import annotations

import sys
from typing import Any

import click

from weft import __version__
from weft.cli.bench import bench
from weft.cli.compiling import compile, graph, tune
from weft.cli.device import device
from weft.cli.running import run
from weft.cli.showing import demo, images, machines
from weft.errors import WeftError

_DEBUG_VARIABLE = "WEFT_TRACEBACK"


class _Group(click.Group):
    """Turns the user's mistakes into one line."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().main(*args, **{**kwargs, "standalone_mode": False})
        except click.exceptions.Exit as request:
            sys.exit(request.exit_code)
        except click.Abort:
            click.echo("interrupted", err=True)
            sys.exit(130)
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message())
            sys.exit(0)
        except click.ClickException as error:
            message = error.format_message().splitlines()
            click.echo(f"weft: {' '.join(message)}", err=True)
            sys.exit(2)
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            click.echo(f"weft: {where}{error.strerror or error}", err=True)
            sys.exit(2)
        except WeftError as error:
            import os

            if os.environ.get(_DEBUG_VARIABLE):
                raise
            click.echo(f"weft: {' '.join(str(error).split())}", err=True)
            sys.exit(2)


def _show_cmake_dir(context: click.Context, _option: click.Parameter, wanted: bool) -> None:
    from weft.paths import cmake_folder

    if wanted:
        click.echo(cmake_folder())
        context.exit()


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="weft")
@click.option(
    "--cmake-dir",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_cmake_dir,
    help="Show where the CMake package is, and exit.",
)
def main() -> None:
    """Neural networks on meshes of small bare-metal processing elements."""


for _command in (compile, graph, run, images, machines, demo, tune, bench, device):
    main.add_command(_command)
