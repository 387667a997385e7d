"""Estuary Flow: captures, collections and materialisations, tried, published and looked at by its control plane."""
