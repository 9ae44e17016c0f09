"""Samples, strict shard reader, deterministic writer, safe image codec, decisions and manifests."""
