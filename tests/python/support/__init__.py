"""Helpers of the tests: model builder, oracle, random models."""
