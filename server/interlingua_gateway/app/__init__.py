"""Puts the rooms together: the order of policies, the wiring, the life of the process."""
