"""Sockets, tasks and amqtt."""
