"""A twin of Estuary's control plane: its queries of live specifications, drafts, and publications that take a while."""
