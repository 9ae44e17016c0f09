"""What runs, in which order: the flows `srd`, `srd-sanitize`, `srd-watch` and `srd-bench`, and the command line."""
