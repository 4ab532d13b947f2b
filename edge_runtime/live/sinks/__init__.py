"""Where the news of a live run goes: files, pictures, MQTT, Prometheus."""
