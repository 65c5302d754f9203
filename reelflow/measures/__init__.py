"""Statistics: calibration of scores, intervals, comparison of two classifiers."""
