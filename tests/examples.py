"""How many examples a property test draws: a fifth every day, twice as many in `make test-all` (conftest.py)."""

from hypothesis import settings

# Of hypothesis, where a test asks for nothing else.
USUAL = 100


def examples(n, **options):
    """The settings of a property test that draws `n` examples, or the share of them that the profile says."""
    share = settings.default.max_examples / USUAL
    return settings(max_examples=max(2, round(n * share)), **options)
