"""The comparison systems: tasks that a network sets itself on pictures without labels, one module each."""
