"""Which model answers: strategies, the models they name, and the ledger of their changes."""
