"""From utterances to numbers: an extractor a file, and what makes, imports and publishes their features.

`extractor` says what one is, `catalogue` names them all, `inputs` reads what they get, `making` runs them
over a project, `imported` takes in features that exist, `table` is how all of them lie on disk, and
`published` brings them into a dataset.
"""
