"""What Clough et al. (2022) report of their experiment on MNIST."""

# Table 1 of Clough et al. (2022), IEEE TPAMI 44(12), PMC9721526: lines removed -> accuracy in per cent before and
# after, mean squared error before and after. Stars in the paper: the accuracy differs at 6 lines and more (McNemar).
TABLE_1 = {
    2: (95.7, 96.2, 0.008, 0.008),
    4: (92.9, 93.7, 0.014, 0.013),
    6: (87.6, 90.8, 0.023, 0.023),
    8: (80.4, 86.0, 0.037, 0.028),
    10: (70.4, 75.0, 0.032, 0.033),
    12: (56.9, 63.0, 0.043, 0.042),
}
SIGNIFICANT = {6, 8, 10, 12}
CLEAN = 98.7  # per cent of clean digits that the paper's classifier reads right
