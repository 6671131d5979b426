"""Rules. Pure functions: plain values in, an enum out, the time as an argument. Standard library only."""
