"""Real faults on real servers: the responses of the pods during a fault, and their recovery after it."""
