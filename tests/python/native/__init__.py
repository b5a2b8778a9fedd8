"""Tests of generated C, of the native engine and of the cache of host libraries."""
