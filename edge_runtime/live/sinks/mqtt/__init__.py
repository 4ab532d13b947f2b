"""The sink that publishes to an MQTT broker, also for Home Assistant."""
