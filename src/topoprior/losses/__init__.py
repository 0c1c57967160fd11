"""How far the bars are from the prior (equations 3-4): pure functions first, thin modules second."""
