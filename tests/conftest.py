"""Of every test: hypothesis sets no deadline, since how long an example takes says what else the machine is doing."""

from hypothesis import settings

settings.register_profile("trajectories", deadline=None)
settings.load_profile("trajectories")
