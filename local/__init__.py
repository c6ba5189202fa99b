"""The embedded AWS: MiniStack with what it lacks, so that the product needs no case of its own for it."""
