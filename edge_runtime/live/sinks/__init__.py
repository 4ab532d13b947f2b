"""Where the results of a live run go: terminal, files, pictures, MQTT, Prometheus, systemd."""
