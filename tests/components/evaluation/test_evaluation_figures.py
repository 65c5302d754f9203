from components.evaluation.figures import draw_per_class
from reelflow.contracts import ClassScores


def rows(classes):
    return [
        ClassScores(label=f"Class{place}", precision=0.5, recall=0.6, f1=0.55, support=3)
        for place in range(classes)
    ]


def test_a_hundred_classes_are_tall_enough_to_read():
    few, many = (draw_per_class(rows(classes), "thumbnail-gru").get_size_inches() for classes in (1, 101))
    assert (many - few).tolist() == [0, 24 * 100 / 72]


def test_bars_are_precision_recall_and_f1_of_each_class():
    axes = draw_per_class(rows(2), "thumbnail-gru").axes[0]
    assert [[bar.get_width() for bar in bars] for bars in axes.containers] == [
        [0.5] * 2,
        [0.6] * 2,
        [0.55] * 2,
    ]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["Class0 (3)", "Class1 (3)"]
