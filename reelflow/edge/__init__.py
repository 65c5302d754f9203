"""The device: needs numpy, av, ai-edge-litert, pydantic; no TensorFlow."""
