"""The one bridge to `gyro`: find a video's log, match it, and say what its rotation does to the pictures."""
