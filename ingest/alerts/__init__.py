"""Delivery of alerts by mail, messengers, webhooks and MQTT, from a durable queue with a record of each delivery."""
