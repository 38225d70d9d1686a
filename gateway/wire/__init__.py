"""The language between gateway and cloud: topics, messages, codec, limits. All of it pure."""
