"""Building and publishing the corpus: import, checks, splits, dataset, report."""
