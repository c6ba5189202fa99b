"""Realistic complaints of our own making, for demonstrations and tests where no export may be used."""

from training.generator.complaints import GeneratedComplaint, generate

__all__ = ["GeneratedComplaint", "generate"]
