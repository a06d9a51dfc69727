"""The experiments on generalization: dimension, convergence, sensitivity of networks trained here or given."""
