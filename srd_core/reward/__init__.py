"""Reward: semantic consistency, linguistic fluency, their score SFS, and the rule that turns changes of them into a reward."""
