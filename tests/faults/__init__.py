"""Real faults, played against real servers: what a pod answers meanwhile, and that it heals by itself."""
