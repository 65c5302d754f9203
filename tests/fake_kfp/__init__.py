"""A Kubeflow Pipelines server in this process: the v2beta1 REST API over real HTTP, held in memory.

What it takes and gives is checked against the models of kfp-server-api and the protocol buffers of
kfp-pipeline-spec; tests/pipelines/cluster/test_api_fake.py drives it with kfp's own client.
"""

from tests.fake_kfp.server import FakeKfp

__all__ = ["FakeKfp"]
