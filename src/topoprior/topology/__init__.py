"""Arrays to bars: conventions, pairing, diagrams, Betti numbers. Knows no prior and no loss."""
