"""How people are told: mail, messengers, webhooks, MQTT; nothing is lost on the way, and everything is on record."""
