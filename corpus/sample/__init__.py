"""The embedded sample: short dialogues written for this project and ratings by simulated raters."""
