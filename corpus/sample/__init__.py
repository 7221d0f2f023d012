"""The sample: a small simulated world of dialogues whose truth is known, and simulated raters."""
