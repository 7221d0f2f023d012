"""Annotate in Label Studio, measure agreement, decide labels."""
