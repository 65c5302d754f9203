"""The pods of workers, as the cluster file has them; the pipeline gives it to the training task."""

from reelflow.documents import Document


class SecretVariable(Document):
    """An environment variable that is a key of a Kubernetes secret."""

    name: str
    secret: str
    key: str
    optional: bool


class WorkerPods(Document):
    """What all workers have alike.

    Attributes:
        image: of the training step.
        env: environment variables by name.
        secrets: further variables.
        requests: CPU and memory that a node must have free.
        limits: CPU, memory and GPUs that a worker may use.
        scratch: what a worker may write.
        timeout_s: seconds until the workers are ended.
        user: numeric.
        node_selector: labels of nodes.
        tolerations: of taints, in Kubernetes's terms.
        claims: persistent volume claims by the path where they are mounted.
    """

    image: str
    env: dict[str, str]
    secrets: tuple[SecretVariable, ...]
    requests: dict[str, str]
    limits: dict[str, str]
    scratch: str
    timeout_s: int
    user: int
    node_selector: dict[str, str]
    tolerations: tuple[dict[str, str], ...]
    claims: dict[str, str]
