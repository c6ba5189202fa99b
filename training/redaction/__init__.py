"""Measures how well the redactor finds personal data, and builds its word lists."""
