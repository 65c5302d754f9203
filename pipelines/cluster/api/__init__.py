"""The Kubeflow Pipelines API: client, credentials, errors."""
