"""Where messages go: standard output, files, webhooks, MQTT."""
