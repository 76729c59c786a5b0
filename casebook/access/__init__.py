"""Accounts, roles and areas, sessions, sign-in with lock-out, and the audit log."""
