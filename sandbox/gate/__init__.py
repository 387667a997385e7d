"""What a model's change of code must pass before anybody is shown it. Pure: no container, no network, no model."""
