"""Small programs that each show one arrangement of the network on real data."""
