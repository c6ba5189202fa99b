"""How well the redactor finds what it looks for, and how its word lists were made."""
