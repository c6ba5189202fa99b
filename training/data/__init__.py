"""From an export of complaints to labelled examples, in parts."""
