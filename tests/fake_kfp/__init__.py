"""A Kubeflow Pipelines 2.17.0 server in this process: what reelflow asks of its REST API, over real HTTP.

Each of its beliefs names where it comes from: a recording of a real server, by its number in recordings/, or
a Go file of kubeflow/pipelines at tag 2.17.0, below backend/src/apiserver/. test_fake_kfp.py replays the
recordings.
"""

from tests.fake_kfp.server import FakeKfp

__all__ = ["FakeKfp"]
