"""The JSON doors of the clock, in the shapes of Chrona."""
