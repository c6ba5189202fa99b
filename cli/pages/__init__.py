"""HTML pages that commands write, and the pictures and words on them."""
