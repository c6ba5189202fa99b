"""Whether a challenger replaces the champion: evidence from labels, gates, guardrails, and four verdicts."""
