"""Per-class reports as spreadsheets save them and as scikit-learn prints them."""

from decimal import Decimal

import pytest

from pipelines.studies.study_a.class_reports import read_class_report
from reelflow.errors import DataError

LINES = ["class,precision,recall,f1-score,support", "walk,0.9,0.8,0.85,10", "run,0.7,0.65,0.7,20", ""]
PRINTED = """
              precision    recall  f1-score   support

   long  jump       0.90      0.80      0.85        10
         run       0.70      0.65      0.70        20

    accuracy                           0.70        30
   macro avg       0.80      0.72      0.77        30
weighted avg       0.77      0.70      0.75        30
"""


def read(folder, text):
    (folder / "report").write_bytes(text.encode())
    return read_class_report(folder / "report")


def numbers(report, label):
    row = report.rows[label]
    return [*map(str, row.metrics.values()), row.support]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("first", ["", "\ufeff", "sep=;"])
@pytest.mark.parametrize("point", [".", ","])
@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_columns_of_a_spreadsheet(tmp_path, delimiter, point, first, line_end):
    lines = [line.replace(",", delimiter).replace(".", point) for line in LINES]
    if first.startswith("sep"):
        first = f"sep={delimiter}{line_end}"
    report = read(tmp_path, first + line_end.join(lines))
    assert numbers(report, "walk") == ["0.9", "0.8", "0.85", 10]
    assert numbers(report, "run") == ["0.7", "0.65", "0.7", 20]


def test_labels_keep_their_commas(tmp_path):
    report = read(tmp_path, "label;precision;recall;f1;support\n1,5;0,9;0,8;0,85;10\n")
    assert numbers(report, "1,5") == ["0.9", "0.8", "0.85", 10]


def test_a_printed_report(tmp_path):
    report = read(tmp_path, PRINTED)
    assert list(report.rows) == ["long  jump", "run"]
    assert numbers(report, "long  jump") == ["0.90", "0.80", "0.85", 10]
    assert report.accuracy == Decimal("0.70")


def test_what_scikit_learn_prints(tmp_path):
    metrics = pytest.importorskip("sklearn.metrics")
    truth, answers = ["a", "b b", "a", "c", "b b", "a"], ["a", "b b", "b b", "c", "a", "a"]
    report = read(tmp_path, metrics.classification_report(truth, answers, digits=3))
    assert numbers(report, "b b") == ["0.500", "0.500", "0.500", 2]
    assert (list(report.rows), str(report.accuracy)) == (["a", "b b", "c"], "0.667")


def test_a_line_that_is_none_is_told(tmp_path):
    with pytest.raises(DataError, match="line 8: found 'what is this', expected a class and its numbers"):
        read(
            tmp_path,
            PRINTED.replace("    accuracy                           0.70        30\n", "\nwhat is this\n"),
        )
