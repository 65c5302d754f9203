"""Study A, reproduced: UCF101 as people have it, the study's figures, and its tables beside ours."""
