"""Errors of backup and restore whose messages are for the operator."""

from contract.errors import InvalidInput, WildpostError


class BadArchive(WildpostError):
    """The file is not a complete, intact backup; the message names the file, the entry and the fault."""


class KeyProblem(InvalidInput):
    """A public key or an identity file cannot be used; the message says why."""


class CannotBackUp(WildpostError):
    """A backup cannot be made or restored; the message gives the reason and the remedy."""
