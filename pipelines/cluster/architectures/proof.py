"""KFP component that proves a bundle on the architecture of its node, in the image of a device.

It is a command in a container: a lightweight component needs kfp in its image (`kfp.dsl.executor_main`), and
a device does not. KFP's launcher brings its own program into the container, fetches what the command reads
and keeps what it writes. Its image is there for arm64 since KFP 2.17 (kubeflow/pipelines#12804).
"""

from kfp import dsl

from reelflow.edge.proof.attempt import MODULE


@dsl.container_component
def proof(
    bundle: dsl.Input[dsl.Model], clips: dsl.Input[dsl.Dataset], proof: dsl.Output[dsl.Artifact]
) -> dsl.ContainerSpec:
    """The proof, or the reason of a failure: a bundle that crashes there ends the attempt, not the run."""
    return dsl.ContainerSpec(
        image="reelflow-edge",
        command=["python3", "-m", MODULE],
        args=["--attempt", proof.path, bundle.path, clips.path],
    )
