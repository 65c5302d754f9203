"""Study A, reproduced: UCF101, the study's figures, and its tables compared with ours."""
