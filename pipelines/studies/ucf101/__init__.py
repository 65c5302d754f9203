"""UCF101 for every study: its clips and lists, runs on its two cuts, and their results."""
