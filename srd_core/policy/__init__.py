"""Where to put a red mask: actions, the environment that rewards them, a deep Q-network that learns them, and a random control."""
