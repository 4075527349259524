"""The health report: memory, flash, link, detector, queue."""


def report(app):
    """The payload of `health` as a dict. Collects garbage."""
    clock, link, memory = app.clock, app.link, app.memory
    free, (idf_free, idf_largest, idf_free_min) = memory.look(), memory.system_heap()
    found = {
        "v": 1,
        "node": app.node,
        "boot": app.boot,
        "uptime": app.uptime_s(),
        "heap_free": free,
        "heap_free_min": memory.free_min,
        "heap_size": memory.size,
        "idf_free": idf_free,
        "idf_free_min": idf_free_min,
        "idf_largest": idf_largest,
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
        found["link"]["connects"] = link.connects
        found["link"]["failures"] = link.failures
        found["link"]["wifi_joins"] = app.wifi.joins
    if app.lora:
        found["lora"] = app.lora.stats()
    return found
