"""Measures the redactor on labelled texts, and builds its word lists."""
