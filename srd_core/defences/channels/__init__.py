"""Evidence channels: each turns what is known of a pair into one number, higher is more suspicious. A new channel is one new file."""
