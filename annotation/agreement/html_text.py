"""The words of the agreement page: names of coefficients and scores, and how to read them, with sources."""

from __future__ import annotations

COLUMNS = {
    "alpha": "Krippendorff's alpha",
    "fleiss_kappa": "Fleiss' kappa",
    "conger_kappa": "Conger's kappa",
    "scott_pi": "Scott's pi",
    "cohen_kappa": "Cohen's kappa",
    "gwet_ac1": "Gwet's AC1",
    "gwet_ac2": "Gwet's AC2",
    "brennan_prediger": "Brennan-Prediger",
    "percent_agreement": "percent agreement",
    "icc_1_1": "ICC(1,1)",
    "icc_2_1": "ICC(2,1)",
    "icc_2_k": "ICC(2,k)",
}

SCORES = {
    "macro_f1": "macro F1",
    "weighted_f1": "weighted F1",
    "accuracy": "accuracy",
    "mae": "mean absolute error",
    "ccc": "concordance correlation",
}

_LANDIS_KOCH = (
    (0.8, "almost perfect"),
    (0.6, "substantial"),
    (0.4, "moderate"),
    (0.2, "fair"),
    (0.0, "slight"),
)


def landis_koch(kappa: float | None) -> str:
    """What Landis and Koch (1977, Biometrics 33, table on page 165) call a kappa; empty without one."""
    if kappa is None:
        return ""
    return next((word for above, word in _LANDIS_KOCH if kappa > above), "slight" if kappa == 0 else "poor")


HOW_TO_READ = (
    (
        "Alpha",
        "Krippendorff's alpha (Content Analysis, 4th edition, 2019): 1 minus observed over expected "
        "disagreement. 1 is perfect agreement, 0 what chance would give, below 0 systematic disagreement. "
        "The distance of two answers follows the level of the field: nominal, ordinal, interval, or MASI "
        "(Passonneau 2006) for sets, where the empty set is an answer. Krippendorff himself asks for "
        ".800, and for .667 where tentative conclusions are acceptable.",
    ),
    (
        "AC1 and AC2",
        "Gwet (British Journal of Mathematical and Statistical Psychology 61, 2008): chance agreement "
        "comes from hard items only, so that a rare value does not push it to 0. A large gap between "
        "alpha and AC1 shows a skewed field. AC2 gives answers near each other a part of the credit, "
        "by Gwet's ordinal weights for ordered values, quadratic ones for interval fields, ratio "
        "ones for ratios, and 1 minus the MASI distance for sets.",
    ),
    (
        "Words for numbers",
        "Landis and Koch (Biometrics 33, 1977) call a kappa below 0 poor, to .20 slight, to .40 fair, to "
        ".60 moderate, to .80 substantial, above that almost perfect. They say themselves that these "
        "divisions are arbitrary; they take no account of prevalence, of the number of values or of the "
        "interval.",
    ),
    (
        "Intervals",
        "Utterances of one dialogue are not independent, so whole dialogues are resampled wherever they "
        "are known. Numbers that rest on few of them have wide intervals, and those are the honest ones.",
    ),
    (
        "Positive and negative agreement",
        "Cicchetti and Feinstein (Journal of Clinical Epidemiology 43, 1990): of two raters of an item "
        "one of whom chose the value, how often the other chose it too; the same for not choosing it.",
    ),
    (
        "Human ceiling",
        "Each rating against the consensus of the other ratings of its item, in the metrics that models "
        "are scored with. Where the others tie nothing is scored.",
    ),
    (
        "Split-half alpha",
        "Agreement of the labels that two halves of the raters would have decided, over the ways to halve "
        "them.",
    ),
    (
        "Retest alpha",
        "Agreement of raters with themselves where they met an utterance again in another round.",
    ),
    (
        "Cannot tell, not applicable, not rated",
        "Three kinds of no answer. None of them is a value, so none has a part in agreement; 0 on the "
        "scale of a relation is an answer: judged, and not there.",
    ),
)
