"""Health of the node: memory, flash, link, detector, queue."""

import gc

from core.modules import unload_modules


class Health:
    """Builds the health report. heap_free_min: fewest free bytes since the start."""

    def __init__(self):
        self.heap_free_min = 1 << 30

    def look(self):
        """Collect garbage, note the free bytes and return them. Call it in quiet moments."""
        unload_modules()
        gc.collect()
        free = gc.mem_free()
        self.heap_free_min = min(self.heap_free_min, free)
        return free

    def report(self, app):
        """The payload of `health` as a dict."""
        clock, link = app.clock, app.link
        report = {
            "v": 1,
            "node": app.node,
            "boot": app.boot,
            "uptime": app.uptime_s(),
            "heap_free": self.look(),
            "heap_free_min": self.heap_free_min,
            "ring": app.ring.stats(),
            "queue": app.uplink.queue_depth(),
            "detector": app.detector.stats(),
            "passages": app.counter.passages,
            "clock": {"source": clock.source, "age": clock.age_s(), "failures": clock.failures},
            "link": {
                "refused_acks": app.uplink.refused_acks,
                "rewinds": app.uplink.retransmissions,
                "refused_commands": app.refused_commands,
            },
        }
        if link:
            report["link"]["connects"] = link.connects
            report["link"]["failures"] = link.failures
            report["link"]["wifi_joins"] = app.wifi.joins
        if app.lora:
            report["lora"] = app.lora.stats()
        return report
