"""What `banksman rollout report` tells: the evidence for an environment's next phase."""
