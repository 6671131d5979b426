"""Measurements. They print ratios against something bare in the same run, because machines differ and are noisy."""
