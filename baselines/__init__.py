"""Baselines: floors and multitask models, honestly evaluated."""
