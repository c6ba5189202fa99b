from hypothesis import settings

# No test is judged by the clock: the machine may be shared.
settings.register_profile("unhurried", parent=settings(), deadline=None)
settings.load_profile("unhurried")
