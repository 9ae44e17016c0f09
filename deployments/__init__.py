"""How the flows are operated: deployments, the event that starts them, and what they run in."""
