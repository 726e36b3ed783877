"""The pages of identity: the door, and a person's own security."""
