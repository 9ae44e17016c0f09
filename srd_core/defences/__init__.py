"""Ways of treating suspect data, behind one protocol (`base.Defence`)."""
