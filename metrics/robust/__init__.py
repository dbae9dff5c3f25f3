"""The default mode: measures that hold on known warps and do not depend on frame rate, length or resolution."""
