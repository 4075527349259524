"""The city's authority of a simulated run, and the certificate of its broker."""

from __future__ import annotations

import ssl
from functools import partial
from pathlib import Path

from simulator.run.plans.plan import NodePlan
from simulator.world.network.access_network import TlsMaker
from simulator.world.network.tls_end import TlsEnd
from tallypost.security.authority import Authority


def has_tls(plan: NodePlan) -> bool:
    return bool(plan.config.get("mqtt_tls"))


def authority_of(plan: NodePlan, folder: Path) -> Authority:
    """The authority in the run's folder, made as `tallypost provision` makes it."""
    return Authority.open(folder / f"{plan.name}-authority")


def tls_of(plan: NodePlan, folder: Path) -> TlsMaker | None:
    """What puts TLS around a connection to the broker, None without TLS."""
    if not has_tls(plan):
        return None
    authority_of(plan, folder).certify_broker([str(plan.config["mqtt_host"])])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    broker = folder / f"{plan.name}-authority" / "broker"
    context.load_cert_chain(broker / "broker.pem", broker / "broker.key")
    return partial(TlsEnd, context)
