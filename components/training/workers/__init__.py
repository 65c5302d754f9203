"""Several workers train one network: processes of this machine, or pods of a TrainJob."""
