"""The pipeline on a Kubernetes cluster: how its tasks run there, and the commands that talk to it."""
