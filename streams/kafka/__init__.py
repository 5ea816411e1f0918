"""The distributed mode: Kafka holds the events, Faust runs the workers, Redis holds what they know."""
