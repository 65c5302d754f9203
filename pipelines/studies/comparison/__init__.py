"""What studies write of two runs: tables, the gap between the cuts in numbers, words and a chart, caveats."""
