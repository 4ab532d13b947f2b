"""`edgeclf service`: a live run as a systemd unit."""
