"""An interrupt that is dropped on its way comes back at the next stage."""

import os
import signal

import pytest

from trajectories.interrupts import remembered, stop_if_asked


def test_an_interrupt_that_was_swallowed_is_raised_at_the_next_stage():
    before = signal.getsignal(signal.SIGINT)
    with remembered():
        stop_if_asked()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            signal.pause()
        # somebody has caught it; the run goes on, up to here
        with pytest.raises(KeyboardInterrupt):
            stop_if_asked()
    stop_if_asked()
    assert signal.getsignal(signal.SIGINT) is before
