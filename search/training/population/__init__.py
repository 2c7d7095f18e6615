"""Trains many models of one template in one compiled JAX program."""
