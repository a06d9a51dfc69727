"""What joins results with what is known otherwise: the truth of simulated brains, properties of networks."""
