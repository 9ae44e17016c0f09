"""The stages of a run, each a plain function from references to files: the arrows of the paper's Figure 4."""
