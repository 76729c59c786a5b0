"""Delivery of queued alerts by mail, messengers, webhooks and MQTT."""
