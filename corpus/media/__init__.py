"""From recordings to utterances: sound, clip, frames and faces of each, from one decode of each recording.

`plan` says what is wanted, `recording` decodes, `sound`, `clip` and `pictures` write, `segmenting` does all
of that for one recording (a shard), `run` does it for all of them, and `segments` reads what was written.
"""
