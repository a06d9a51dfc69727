"""Ceilings, resampling, permutation nulls: forms that take arrays or callables."""
