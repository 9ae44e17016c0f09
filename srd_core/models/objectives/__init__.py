"""What training makes small: the captions' tokens, and what some attackers add to that. One file each."""
