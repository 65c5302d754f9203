"""What MLflow's errors mean: whether they may pass, and what people are told of them."""
