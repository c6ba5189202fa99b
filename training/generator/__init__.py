"""Realistic invented complaints, for demonstrations and tests that must not use real ones."""

from training.generator.complaints import GeneratedComplaint, generate

__all__ = ["GeneratedComplaint", "generate"]
