"""Why a model decided as it did: which sentences, and which words in them, moved its answer. On request only."""
