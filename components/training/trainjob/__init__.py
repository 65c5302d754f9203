"""Workers as pods of a cluster: a TrainJob of Kubeflow Trainer that the training task starts and awaits."""
