"""`wildpost completion`: prints a shell script for tab completion of commands and options."""

import argparse


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `wildpost completion` to the argument parser."""
    about = "print a script that lets the shell complete commands and options"
    completion = commands.add_parser("completion", help=about, description=about)
    completion.add_argument("shell", choices=("bash", "zsh", "tcsh"), help="for which shell")
    completion.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the completion script for the shell."""
    import shtab

    from wildpost.cli.main import parser

    print(shtab.complete(parser(), arguments.shell))
    return 0
