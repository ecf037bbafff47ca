"""What a run leaves on the disk: checkpoints, metrics, curves, and where its weights come from."""
