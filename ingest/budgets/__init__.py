"""Budgets of stations: how much one station may send, before it is held back so that others are not delayed."""
