"""A trained network with fewer channels, fine-tuned towards what it said before."""
