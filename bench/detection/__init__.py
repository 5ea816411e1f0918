"""What the change detectors hold of their promises: run lengths, delays, power, cost. docs/detection.md keeps a result."""
