"""Who may reach the pages, and from where."""
