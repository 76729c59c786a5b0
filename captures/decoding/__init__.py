"""Decoding of films and of rare picture formats in a process of its own, which may crash, hang or run out of memory.

``process`` starts the process and reads its answers, ``worker`` runs in it and calls the other modules.
"""
