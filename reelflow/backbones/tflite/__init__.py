"""TFLite networks as backbones: cut at a tensor, averaged over windows of its map, for any input size."""
