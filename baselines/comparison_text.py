"""The words of a comparison in both languages."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from baselines.comparison import Note
from schemas.fields import Text

METRICS: Mapping[str, Text] = {
    "macro_f1": Text("macro F1", "宏平均 F1"),
    "weighted_f1": Text("weighted F1", "加权 F1"),
    "micro_f1": Text("micro F1", "微平均 F1"),
    "accuracy": Text("accuracy", "准确率"),
    "uar": Text("UAR", "UAR"),
    "quadratic_kappa": Text("quadratic kappa", "二次加权 kappa"),
    "exact_match": Text("exact match", "集合完全一致"),
    "jaccard": Text("Jaccard", "Jaccard 系数"),
    "mae": Text("MAE", "平均绝对误差"),
    "pearson": Text("Pearson's r", "皮尔逊相关"),
    "ccc": Text("CCC", "一致性相关系数"),
    "ece": Text("ECE", "期望校准误差"),
    "brier": Text("Brier score", "Brier 分数"),
    "cross_entropy": Text("cross-entropy", "交叉熵"),
    "label_entropy": Text("entropy of labels", "标签的熵"),
    "manhattan": Text("Manhattan", "曼哈顿距离"),
    "wasserstein": Text("Wasserstein", "Wasserstein 距离"),
}

WORDS: Mapping[str, Text] = {
    "title": Text("Comparison of models", "模型比较"),
    "lead": Text(
        "{models} models on {utterances} utterances; test split, opened by evaluation alone.",
        "{models} 个模型，{utterances} 条话语；测试集只在评测时打开。",
    ),
    "lead_folds": Text(
        "{models} models on {utterances} utterances; {protocol}.",
        "{models} 个模型，{utterances} 条话语；{protocol}。",
    ),
    "notice": Text("Read this first.", "请先阅读。"),
    "turns_to_come": Text(
        "{group}: the model sees the turns to come; the raters were shown the turns so far.",
        "{group}：模型看到了后续话轮，而标注者只看到此前的话轮。",
    ),
    "turns_to_come_for_some": Text(
        "{group}: the model sees the turns to come; some of the raters were shown the turns so far only.",
        "{group}：模型看到了后续话轮，而部分标注者只看到此前的话轮。",
    ),
    "modalities": Text(
        "{group}: the model sees {model}; the raters were shown {raters}.",
        "{group}：模型使用了 {model}，而标注者看到的是 {raters}。",
    ),
    "same_seed": Text(
        "{group}: two of its runs have the same seed, so the deviation over seeds is too small.",
        "{group}：有两次运行使用同一随机种子，因此种子间标准差偏小。",
    ),
    "other_data": Text(
        "{group}: it was trained on another dataset, or another build of it.",
        "{group}：训练数据是另一个数据集，或其另一个版本。",
    ),
    "simulated": Text(
        "The raters are simulated, not people: their ceiling says nothing about people.",
        "标注者为程序模拟，并非真人：其上限不能说明人的水平。",
    ),
    "models": Text("Models", "模型"),
    "model": Text("model", "模型"),
    "kind": Text("kind", "类别"),
    "runs": Text("runs", "运行"),
    "seeds": Text("seeds", "随机种子"),
    "parameters": Text("parameters", "参数量"),
    "seconds_per_epoch": Text("s an epoch", "每轮秒数"),
    "latency": Text("ms an utterance", "每条毫秒"),
    "sees": Text("sees", "输入"),
    "context": Text("context", "上下文"),
    "none": Text("none", "无"),
    "past": Text("turns so far", "此前话轮"),
    "whole": Text("whole dialogue", "整段对话"),
    "floor": Text("floor", "下限"),
    "outside": Text("from elsewhere", "外部预测"),
    "models_note": Text(
        "Latency: median over dialogues, one dialogue at a time, on one thread.",
        "延迟：逐段对话、单线程，取各对话的中位数。",
    ),
    "results": Text("Results", "结果"),
    "results_note": Text(
        "Means over seeds, ± standard deviation over seeds; 95% interval over dialogues, {n_boot} resamples.",
        "种子间均值，± 为种子间标准差；区间为按对话重抽样的 95% 区间（{n_boot} 次）。",
    ),
    "headline_note": Text("The headline metric, with its interval.", "主要指标及其区间。"),
    "human": Text("human ceiling", "人工上限"),
    "human_how": Text(
        "Human ceiling: each rating against the consensus of the other ratings of the utterance. Where the "
        "others tie nothing is scored; what ties is hard, so the ceiling is that of the easier part.",
        "人工上限：每条标注与同一话语其他标注的共识比较。"
        "其他标注打平时不计分；打平者较难，因此该上限只针对较容易的部分。",
    ),
    "design": Text(
        "Human ceiling: {scored} ratings of {raters} raters were scored, {fewest} to {most} for each of "
        "{utterances} utterances ({crossed}); {undecided} were not, because the others tie.",
        "人工上限：{raters} 名标注者的 {scored} 条标注计分，"
        "{utterances} 条话语各有 {fewest} 至 {most} 条标注（{crossed}）；"
        "另有 {undecided} 条因其他标注打平而未计分。",
    ),
    "crossed": Text("every rater rated all of them", "每名标注者都标注了全部话语"),
    "not_crossed": Text("not every rater rated all of them", "并非每名标注者都标注了全部话语"),
    "simulated_raters": Text("Simulated raters.", "模拟标注者。"),
    "best_text": Text("best possible from text", "文本的理论最优"),
    "best_all": Text("best possible from all", "全部模态的理论最优"),
    "best_note": Text(
        "Best possible: against the truth of this generated corpus, the dialogue so far seen.",
        "理论最优：相对于该生成语料的真值，只看到此前的对话。",
    ),
    "tests": Text("Paired tests", "成对检验"),
    "tests_note": Text(
        "Two-sided permutation tests over dialogues: {n} exchanges, or all where there are fewer. Holm's "
        "correction for all {tests} tests of this comparison. Differences are first less second.",
        "以对话为单位的双侧置换检验：{n} 次交换，总数不足时穷举。"
        "对本比较的全部 {tests} 次检验做 Holm 校正。差值为前者减后者。",
    ),
    "field": Text("field", "字段"),
    "metric": Text("metric", "指标"),
    "pair": Text("models", "模型对"),
    "difference": Text("difference", "差值"),
    "p": Text("p", "p"),
    "p_holm": Text("p (Holm)", "p（Holm）"),
    "multitask": Text("Single-task against multitask", "单任务与多任务"),
    "multitask_note": Text(
        "The same model with all fields, less with this field alone.",
        "同一模型：学习全部字段减去只学习该字段。",
    ),
    "disagreement": Text("Disagreement of raters", "标注者分歧"),
    "soft_note": Text(
        "Against the shares of the raters' answers (soft labels); lower is better. Cross-entropy, in nats, "
        "is at least the entropy of the labels. Manhattan goes from 0 to 2. Wasserstein is in steps of the "
        "scale, of numbers in its units.",
        "与标注者回答的比例（软标签）比较，越低越好。交叉熵（奈特）不低于标签的熵。曼哈顿距离 0 到 2。"
        "Wasserstein 距离以量表的级为单位，数值字段以其单位。",
    ),
    "ratings_note": Text(
        "Against single ratings, all raters pooled: what a model gets right of one person's answer.",
        "与单条标注比较（全部标注者合并）：模型对单个人回答的符合程度。",
    ),
    "ratings": Text("Single ratings", "单条标注"),
    "by_rater": Text("Against each rater", "与每名标注者比较"),
    "ceiling": Text("Human ceiling, item for item", "人工上限（同一批条目）"),
    "ceiling_note": Text(
        "Models and raters against the same targets: the consensus of the other raters.",
        "模型与标注者使用相同的目标：其他标注者的共识。",
    ),
    "hidden": Text("Modalities", "模态"),
    "hidden_note": Text(
        "Headline metrics of trained models from which modalities are hidden: from every utterance, or at "
        "random from a share of the utterances.",
        "对训练好的模型隐藏部分模态后的主要指标：全部隐藏，或按比例随机隐藏。",
    ),
    "nothing_hidden": Text("nothing hidden", "不隐藏"),
    "without": Text("without {names}", "不含 {names}"),
    "missing_at_random": Text("each missing for {rate}", "各自缺失 {rate}"),
    "epochs": Text("Choice of the epoch", "轮次选择"),
    "epochs_note": Text(
        "What it would gain to choose the epoch on the test split. Such a gain is not real.",
        "若在测试集上选择轮次会“提高”多少。这种提高并不真实。",
    ),
    "honest": Text("chosen on validation", "验证集选择"),
    "dishonest": Text("chosen on test", "测试集选择"),
    "gap": Text("gap", "差距"),
    "confusion": Text("Confusion: labels (rows), predictions (columns)", "混淆矩阵：标签（行）、预测（列）"),
    "confusion_note": Text("Mean counts over runs; shade by row.", "各次运行的平均计数；颜色按行归一。"),
    "reliability": Text("Reliability", "可靠性图"),
    "reliability_note": Text(
        "{bins} bins of equal width. Bars: how often predictions of a probability come true. Line: perfect "
        "calibration. Dots: mean probability; their area is the share of the predictions.",
        "{bins} 个等宽区间。柱：该概率的预测实现的频率。斜线：完全校准。圆点：平均概率，面积为预测所占比例。",
    ),
    "per_class": Text("F1 of each value", "各取值的 F1"),
    "value": Text("value", "取值"),
    "labels": Text("labels", "标签数"),
    "who": Text("who", "对象"),
    "more": Text(
        "More stands on the page (--html) and in the JSON: single ratings, each rater, item for item with "
        "people, confusion matrices and reliability.",
        "网页（--html）与 JSON 中另有：单条标注、每名标注者、与人逐条比较、混淆矩阵与可靠性图。",
    ),
    "probability": Text("predicted probability", "预测概率"),
    "frequency": Text("observed frequency", "实际频率"),
    "how": Text("How to read this", "如何阅读"),
    "no_value": Text("–", "–"),
}  # fmt: skip

Say = Callable[..., str]


def say_in(language: str) -> Say:
    """Return what gives the words in a language, by key; values are filled in."""

    def say(key: str, **values: object) -> str:
        return WORDS[key].get(language).format(**values)

    return say


def metric_in(language: str) -> Callable[[str], str]:
    """Return what gives the name of a metric in a language."""

    def metric(name: str) -> str:
        return METRICS[name].get(language)

    return metric


def note_text(note: Note, language: str = "en") -> str:
    """Write a note as a sentence."""
    return say_in(language)(
        note.what, group=note.group, model=" + ".join(note.model), raters=" + ".join(note.raters)
    )
