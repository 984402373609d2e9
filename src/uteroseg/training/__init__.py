"""Train and adapt networks: data on the device, loss, loop, strategies."""
