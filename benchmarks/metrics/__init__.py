"""What predictions are judged by: sums of each frame, so that any set of frames can be pooled exactly."""
