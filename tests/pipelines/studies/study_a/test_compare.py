"""Two per-class reports: what is counted, what is pointed out, what is refused."""

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from pipelines.studies.study_a.class_reports import MAX_BYTES, read_class_report
from pipelines.studies.study_a.compare import compare_files, in_words
from reelflow.errors import DataError, ParamsError

HEADER = "label,precision,recall,f1,support"
ONE = f"{HEADER}\nbike,0.5,0.50,0.5,2\nrun,0.9,0.8,0.85,6\nswim,0.10,0.20,0.30,1\nwalk,1.00,1,1.0,1\n"
TWO = f"{HEADER}\nrun,0.9,0.9,0.85,6\nbike,0.6,0.6,0.6,2\nswim,0.1,0.2,0.3,1\nwalk,0.9,1.0,0.95,1\n"


def write(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.fixture
def files(tmp_path) -> tuple[Path, Path]:
    return write(tmp_path / "one.csv", ONE), write(tmp_path / "two.csv", TWO)


def counts(found) -> tuple[list[int], list[list[int]], int]:
    metrics = [found.metrics.higher_in_a, found.metrics.higher_in_b, found.metrics.equal]
    sides = [
        [side.at_least_one_higher, side.none_lower_not_all_equal, side.all_higher]
        for side in (found.classes_higher_in_a, found.classes_higher_in_b)
    ]
    return metrics, sides, found.classes_all_equal


def test_metrics_and_classes_are_counted(files):
    # bike: all three higher in B; run: recall higher in B; swim: equal as numbers; walk: two higher in A
    found = compare_files(*files)
    assert counts(found) == ([2, 4, 6], [[1, 1, 0], [2, 2, 1]], 1)
    assert {row.label: (row.precision, row.recall, row.f1) for row in found.classes} == {
        "bike": ("b", "b", "b"),
        "run": ("equal", "b", "equal"),
        "swim": ("equal", "equal", "equal"),
        "walk": ("a", "equal", "a"),
    }
    assert in_words(found)[0] == "Of 12 metrics 2 are higher in A, 4 are higher in B, 6 are equal."


def test_the_other_way_round_is_the_mirror_image(files):
    one, other = compare_files(*files), compare_files(*reversed(files))
    assert (other.a, other.b) == (one.b, one.a)
    assert (other.classes_higher_in_a, other.classes_higher_in_b) == (
        one.classes_higher_in_b,
        one.classes_higher_in_a,
    )
    assert (other.metrics.higher_in_a, other.metrics.higher_in_b) == (
        one.metrics.higher_in_b,
        one.metrics.higher_in_a,
    )


def test_the_counts_of_the_study(shared_data):
    folder = shared_data.parent / "reference"
    names = ("thesis_per_class_inception_v3_gru.csv", "thesis_per_class_mobilenet_v2_quant_gru.csv")
    found = compare_files(*(folder / name for name in names))
    assert counts(found) == ([157, 109, 37], [[71, 40, 33], [54, 23, 15]], 7)
    assert [round(facts.weighted_recall, 4) for facts in (found.a, found.b)] == [0.7698, 0.7306]
    assert [(facts.accuracy, facts.contradicts) for facts in (found.a, found.b)] == [
        (0.7961, True),
        (0.7594, True),
    ]
    printed = command(*(folder / name for name in names)).stdout
    for sentence in (
        "Of 303 metrics 157 are higher in A, 109 are higher in B, 37 are equal.",
        "at least one metric is higher in B in 54; all three are at least equal and not all equal in 23; "
        "all three are higher in 15.",
        "All three are equal in 7.",
        "A contradicts itself: its support-weighted recall is 0.7698",
        "but the published accuracy is 0.7594",
    ):
        assert sentence in printed, printed


def test_an_accuracy_that_rounding_explains_is_no_contradiction(files):
    # A's weighted recall is 0.7 exactly, printed with two digits: up to 0.005 may be rounding
    assert read_class_report(files[0]).weighted_recall == Decimal("0.7")
    near, far = compare_files(*files, "0.7049"), compare_files(*files, "0.7052")
    assert (near.a.accuracy, near.a.contradicts, near.notes) == (0.7049, False, ())
    assert far.a.contradicts
    assert "0.7000" in far.notes[0]
    assert (far.b.accuracy, far.b.contradicts) == (None, False)


def test_the_published_accuracy_beside_a_study_s_report_is_found(tmp_path):
    one = write(tmp_path / "thesis_per_class_net_v3_gru.csv", ONE)
    two = write(tmp_path / "thesis_per_class_other_gru.csv", TWO)
    write(
        tmp_path / "pipelines_table.csv", "backbone,head,accuracy,top\nnet_v3,lstm,0.7,1\nnet_v3,gru,0.9,1\n"
    )
    found = compare_files(one, two)
    assert (found.a.accuracy, found.a.contradicts, found.b.accuracy) == (0.9, True, None)
    assert compare_files(one, two, "0.7").a.accuracy == 0.7
    write(tmp_path / "pipelines_table.csv", "backbone,head,accuracy\nnet_v3,gru,high\n")
    with pytest.raises(DataError, match=r"pipelines_table\.csv, line 2, accuracy: found 'high'"):
        compare_files(one, two)


def test_reports_on_other_clips_are_pointed_out(files):
    write(files[1], TWO.replace("run,0.9,0.9,0.85,6", "run,0.9,0.9,0.85,7"))
    assert (
        "1 classes have another number of test clips in A than in B, such as run"
        in compare_files(*files).notes[0]
    )


def test_files_of_the_same_name_are_told_apart(tmp_path):
    paths = [write(tmp_path / name / "per_class.csv", text) for name, text in (("x", ONE), ("y", TWO))]
    found = compare_files(*paths)
    assert (found.a.name, found.b.name) == ("x/per_class.csv", "y/per_class.csv")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "has the columns of an empty file; expected each of label, precision"),
        (HEADER, "holds no classes"),
        ("label,precision,recall,support\nrun,1,1,1\n", "expected each of label, precision, recall, f1"),
        (f"{HEADER},f1\nrun,1,1,1,1,1\n", "once"),
        (f"{HEADER}\nrun,1,1,1,1\nrun,1,1,1,1\n", "line 3: found the label 'run'"),
        (f"{HEADER}\n ,1,1,1,1\n", "line 2: found the label ''"),
        (f"{HEADER}\nrun,1,1,1\n", "found 4 values, expected 5"),
        (f"{HEADER}\nrun,NaN,1,1,1\n", "precision: found 'NaN', expected a number from 0 to 1"),
        (f"{HEADER}\nrun,1,inf,1,1\n", "recall: found 'inf'"),
        (f"{HEADER}\nrun,1,1,-0.1,1\n", "f1: found '-0.1'"),
        (f"{HEADER}\nrun,1_0,1,1,1\n", "precision: found '1_0'"),
        (f"{HEADER}\nrun,86,1,1,1\n", "precision: found 86, expected a number from 0 to 1"),
        (f"{HEADER}\nrun,{'1' * 5000},1,1,1\n", "precision: found '111"),
        (f"{HEADER}\nrun,1,1,1,2.5\n", "support: found 2.5, expected a number of clips"),
        (f"{HEADER}\nrun,1,1,1,1e99\n", "support: found 1e99"),
        (f'{HEADER}\n"run,1,1,1,1\n', "is not a CSV file in UTF-8"),
        (f"{HEADER}\nrün,1,1,1,1\n".encode("latin-1"), "is not a CSV file in UTF-8"),
        (f"{HEADER}\n".encode("utf-16"), "is not a CSV file in UTF-8"),
        (f"{HEADER}\n{'x' * 200_000},1,1,1,1\n", "is not a CSV file in UTF-8"),
    ],
)
def test_what_is_no_report_is_refused(tmp_path, content, said):
    path = write(tmp_path / "wrong.csv", content)
    with pytest.raises(DataError) as refused:
        read_class_report(path)
    assert said in str(refused.value)
    assert str(path) in str(refused.value)
    assert len(str(refused.value)) < 1000


def test_a_huge_file_is_not_read(tmp_path):
    path = tmp_path / "huge.csv"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(DataError, match="larger than 16 MB"):
        read_class_report(path)


@pytest.mark.parametrize("name", ["missing.csv", "."])
def test_a_missing_file_is_named(tmp_path, name):
    with pytest.raises(ParamsError, match=r"there is no file .*name a CSV file"):
        read_class_report(tmp_path / name)


def test_a_bom_crlf_and_further_columns_do_no_harm(tmp_path):
    text = f"\ufeff{HEADER},note\r\nrun,1,.5,5e-1,3.0,x\r\n\r\n"
    row = read_class_report(write(tmp_path / "excel.csv", text)).rows["run"]
    assert (row.metrics["recall"], row.metrics["f1"], row.support) == (Decimal("0.5"), Decimal("0.5"), 3)


@pytest.mark.parametrize(
    ("before", "after"), [("\n\n", ""), (",,,,\n", ",,,,\n,,,,\n"), ("\r\n", "\r\n , ,,,\r\n"), ("", "\n\n")]
)
def test_empty_rows_of_spreadsheets_do_no_harm(tmp_path, before, after):
    report = read_class_report(write(tmp_path / "a.csv", f"{before}{HEADER}\nrun,1,1,1,1\n{after}"))
    assert list(report.rows) == ["run"]


def test_a_line_break_of_unicode_in_a_label_ends_no_line(tmp_path):
    report = read_class_report(write(tmp_path / "a.csv", f"{HEADER}\na\u2028b,1,1,1,1\n"))
    assert list(report.rows) == ["a\u2028b"]


def test_labels_in_two_unicode_forms_are_one_class(tmp_path):
    one, two = (
        write(tmp_path / name, f"{HEADER}\n{label},1,1,1,1\n")
        for name, label in (("one.csv", "caf\u00e9"), ("two.csv", "cafe\u0301"))
    )
    assert compare_files(one, two).metrics.equal == 3


def test_other_classes_are_refused_by_name(files):
    write(files[1], TWO + "jump,1,1,1,1\n")
    with pytest.raises(DataError, match="only B has jump"):
        compare_files(*files)


def test_reports_without_clips_have_no_weighted_recall(tmp_path):
    path = write(tmp_path / "none.csv", f"{HEADER}\nrun,0,0,0,0\n")
    found = compare_files(path, path, "0.5")
    assert (found.a.weighted_recall, found.a.contradicts, found.metrics.equal) == (None, False, 3)


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipelines", "compare-reports", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_prints_one_document(files):
    done = command(*files, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == compare_files(*files).model_dump(mode="json")


def test_bad_input_of_the_command_is_one_line(files, tmp_path):
    for arguments, code, said in (
        ((files[0], tmp_path / "missing.csv"), 2, "there is no file"),
        ((files[0], write(tmp_path / "bad.csv", "x\n")), 3, "has the columns x;"),
        ((*files, "--accuracy-a", "80%"), 2, "the accuracy given for one.csv: found '80%'"),
    ):
        ended = command(*arguments)
        assert (ended.returncode, ended.stdout) == (code, "")
        assert ended.stderr.startswith("error: ")
        assert said in ended.stderr
        assert ended.stderr.count("\n") == 1


SKLEARN = {
    "run": {"precision": 0.5, "recall": 0.5, "f1-score": 0.5, "support": 2.0},
    "walk": {"precision": 2 / 3, "recall": 1.0, "f1-score": 0.8, "support": 2.0},
    "sit": {"precision": 1.0, "recall": 0.5, "f1-score": 2 / 3, "support": 2.0},
    "accuracy": 2 / 3,
    "macro avg": {"precision": 0.7222222222222222, "recall": 2 / 3, "f1-score": 0.6555, "support": 6.0},
    "weighted avg": {"precision": 0.7222222222222222, "recall": 2 / 3, "f1-score": 0.6555, "support": 6.0},
}
BY_CLASS = """,precision,recall,f1-score,support
run,0.5,0.5,0.5,2.0
walk,0.6666666666666666,1.0,0.8,2.0
sit,1.0,0.5,0.6666666666666666,2.0
accuracy,0.6666666666666666,0.6666666666666666,0.6666666666666666,0.6666666666666666
macro avg,0.7222222222222222,0.6666666666666666,0.6555,6.0
weighted avg,0.7222222222222222,0.6666666666666666,0.6555,6.0
"""
BY_METRIC = "\n".join(
    ",".join(column) for column in zip(*(line.split(",") for line in BY_CLASS.splitlines()), strict=True)
)
FRAME = {
    label: values if isinstance(values, dict) else dict.fromkeys(SKLEARN["run"], values)
    for label, values in SKLEARN.items()
}
FORMS = {
    "by class": BY_CLASS,
    "by metric": BY_METRIC,
    "named index": "class" + BY_CLASS,
    "excel": "\ufeff" + BY_CLASS.replace("\n", "\r\n"),
    "json": json.dumps(SKLEARN),
    "json of a frame": json.dumps(FRAME, indent=1),
    "json of a frame on its side": json.dumps(
        {name: {label: row[name] for label, row in FRAME.items()} for name in SKLEARN["run"]}
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_scikit_learn_s_reports_are_taken_in_the_forms_people_save(tmp_path, form):
    report = read_class_report(write(tmp_path / "report", FORMS[form]))
    assert list(report.rows) == ["run", "walk", "sit"]
    assert [row.support for row in report.rows.values()] == [2, 2, 2]
    assert [float(row.metrics["f1"]) for row in report.rows.values()] == [0.5, 0.8, 2 / 3]
    assert float(report.accuracy) == 2 / 3


def test_scikit_learn_s_report_is_compared_with_ours_and_its_accuracy_is_checked(tmp_path):
    ours = write(tmp_path / "ours.csv", f"{HEADER}\nrun,0.5,1,0.6,2\nsit,1,1,1,2\nwalk,0.5,0.5,0.5,2\n")
    found = compare_files(write(tmp_path / "theirs.csv", BY_CLASS), ours)
    assert (found.a.accuracy, found.a.contradicts) == (pytest.approx(2 / 3), False)
    assert (found.metrics.higher_in_a, found.metrics.higher_in_b, found.metrics.equal) == (3, 4, 2)
    wrong = BY_CLASS.replace(",".join(["0.6666666666666666"] * 4), ",".join(["0.75"] * 4))
    assert "A contradicts itself" in compare_files(write(tmp_path / "wrong.csv", wrong), ours).notes[0]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"run": {"precision": 1}', "is not a report in JSON"),
        ('{"run": {"precision": 1, "recall": 1, "f1-score": 1, "support": null}}', "support: found ''"),
        ('{"run": {"precision": NaN, "recall": 1, "f1-score": 1, "support": 1}}', "precision: found 'NaN'"),
        ('{"run": 1, "run": 2}', "'run' is there twice"),
        ('{"precision": 1, "recall": 1, "f1-score": 1, "support": 1}', "a metric is not a table of classes"),
        ("{" * 100_000, "is not a report in JSON"),
        ('{"accuracy": 0.5}', "holds no classes"),
        ("precision,recall,f1-score,support\n1,1,1,1\n", "expected each of label"),
        (",precision,recall,f1-score,support\naccuracy,0.5,0.5,0.5,0.5\n", "holds no classes"),
        (",run\nprecision,1\nrecall,1\nf1-score,1\nsupport,x\n", "support: found 'x'"),
    ],
)
def test_what_is_no_report_of_scikit_learn_is_refused(tmp_path, content, said):
    with pytest.raises(DataError) as refused:
        read_class_report(write(tmp_path / "wrong.json", content))
    assert said in str(refused.value)
