"""An interrupt that is dropped on its way comes back at the next stage."""

import multiprocessing
import os
import signal
import time

import pytest

from trajectories.runs.interrupts import remembered, stop_if_asked


@pytest.fixture(params=[signal.SIGINT, signal.SIGTERM])
def number(request):
    """A signal that ends no process, should nobody else hear it."""
    before = signal.signal(request.param, lambda *_: None)
    yield request.param
    signal.signal(request.param, before)


def test_an_interrupt_that_was_swallowed_is_raised_at_the_next_stage(number):
    before = signal.getsignal(number)
    with remembered():
        stop_if_asked()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
            signal.pause()
        # somebody has caught it; the run goes on, up to here
        with pytest.raises(KeyboardInterrupt):
            stop_if_asked()
    stop_if_asked()
    assert signal.getsignal(number) is before


def wait(ready):
    ready.set()
    time.sleep(60)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_a_forked_process_that_its_pool_ends_goes_without_a_word(capfd):
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    with remembered():
        child = context.Process(target=wait, args=(ready,), daemon=True)
        child.start()
        # what comes while a process is forked is dropped by Python
        assert ready.wait(30)
        child.terminate()
        child.join(10)
        child.kill()
    assert child.exitcode == -signal.SIGTERM
    assert capfd.readouterr().err == ""
