"""Infrastructure: layers as typed constructs, deployed by two stacks."""
