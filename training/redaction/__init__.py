<<<<<<< HEAD
"""Measures how well the redactor finds personal data, and builds its word lists."""
=======
"""Measures the redactor on labelled texts, and builds its word lists."""
>>>>>>> refs/heads/training
