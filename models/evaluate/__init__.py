"""Says how good a detector is on pictures whose content is known."""
