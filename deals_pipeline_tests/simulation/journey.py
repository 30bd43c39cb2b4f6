"""The way of one call to the service and back, stage by stage; other calls pass between any two stages."""

from collections.abc import Callable
from random import Random
from typing import Final

from deals_pipeline.keepa.replies import Reply, Retryable, RetryableCause
from deals_pipeline_tests.simulation.scenario import Trouble
from deals_pipeline_tests.simulation.service import READ_TIMEOUT_MS, Call, Service
from deals_pipeline_tests.simulation.timeline import Timeline

OVERTAKING_MS_MAX: Final = 20_000
OVERTAKING: Final = 0.2


class Journey:
    """One call's way. `arrived` and `charged` tell the world; `deliver` gets the reply."""

    def __init__(
        self,
        call: Call,
        service: Service,
        timeline: Timeline,
        draw: Random,
        *,
        arrived: Callable[[Call], None],
        charged: Callable[[Call], None],
        deliver: Callable[[Reply], None],
    ) -> None:
        self.call, self.service, self.timeline = call, service, timeline
        self.arrived, self.charged, self.deliver = arrived, charged, deliver
        call.is_sent = True
        service.strike(call)
        self.way_back = draw.randint(20, 300)
        if Trouble.OVERTAKING in service.scenario.troubles and draw.random() < OVERTAKING:
            self.way_back = draw.randint(0, OVERTAKING_MS_MAX)
        self.duration = service.duration_ms(call)
        self.charged_after = draw.choice((0, self.duration, draw.randint(0, self.duration)))
        timeline.after(draw.randint(5, 150), self.arrive)

    def arrive(self) -> None:
        """Reach the service, or whatever stands before it."""
        reply = self.service.reply_without_arrival(self.call)
        if reply is not None:
            self.call.is_over = True
            self.timeline.after(self.way_back, lambda: self.come_back(reply))
        elif self.service.fails_before_execution(self.call):
            self.call.is_over = True
            self.answer()
        else:
            self.service.arrive(self.call)
            self.arrived(self.call)
            if self.call.is_refused:
                self.answer()
            else:
                self.timeline.after(self.charged_after, self.charge)
                self.timeline.after(self.duration, self.answer)

    def charge(self) -> None:
        """Be charged."""
        self.service.charge(self.call)
        self.charged(self.call)

    def answer(self) -> None:
        """Be answered; an answer that is lost is waited for until the time-out."""
        reply = self.service.answer(self.call, self.timeline.now)
        is_lost = isinstance(reply, Retryable) and reply.cause is RetryableCause.TIMED_OUT
        self.timeline.after(READ_TIMEOUT_MS if is_lost else self.way_back, lambda: self.come_back(reply))

    def come_back(self, reply: Reply) -> None:
        """Reach whoever waits for it."""
        self.call.is_back = True
        self.deliver(reply)
