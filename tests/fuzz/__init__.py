"""Bytes from outside, at random: every parser gives a value or its own refusal. docs/fuzzing.md says which is tried
where.

Quick and the same every time in the suite; `make fuzz` tries as many others as one has patience for.
"""
