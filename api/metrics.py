"""Prometheus metrics, read from the desk and the index when they are asked for; no state of their own."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from api.service import Service
from index.errors import ServiceError
from index.posts.query import Facet, Query


def registry_of(service: Service) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(_ServiceCollector(service))
    return registry


class _ServiceCollector(Collector):
    def __init__(self, service: Service) -> None:
        self._service = service

    def describe(self) -> Iterator[GaugeMetricFamily]:
        return iter(())  # so that registering does not read the databases

    def collect(self) -> Iterator[GaugeMetricFamily]:
        up = GaugeMetricFamily("mcu_part_up", "1: the part answers", labels=["part"])
        for part, families in (("index", self._index), ("desk", self._desk)):
            try:
                yield from list(families())
                up.add_metric([part], 1)
            except ServiceError:
                up.add_metric([part], 0)
        yield up

    def _index(self) -> Iterator[GaugeMetricFamily]:
        posts = GaugeMetricFamily("mcu_posts", "Posts in the index", labels=["state"])
        for count in self._service.posts.count_by(Query(), Facet.STATE):
            posts.add_metric([count.value], count.posts)
        yield posts

    def _desk(self) -> Iterator[GaugeMetricFamily]:
        now = self._service.now()
        alerts = GaugeMetricFamily("mcu_alerts", "Alerts that wait for an officer", labels=["state"])
        counts = self._service.desk.alerts.counts(now)
        alerts.add_metric(["open"], counts.open)
        alerts.add_metric(["overdue"], counts.overdue)
        yield alerts
        deliveries = GaugeMetricFamily("mcu_deliveries", "Deliveries by state", labels=["state"])
        for state, number in self._service.desk.deliveries.counts().items():
            deliveries.add_metric([state.value], number)
        yield deliveries
        age = GaugeMetricFamily("mcu_stage_beat_age_seconds", "Since the stage last ticked", labels=["stage"])
        for beat in self._service.desk.beats.all().values():
            age.add_metric([beat.stage], (now - beat.at).total_seconds())
        yield age
        fresh = GaugeMetricFamily(
            "mcu_source_age_seconds", "Since the source was read whole", labels=["source"]
        )
        for health in self._service.desk.sources.healths().values():
            if health.fresh_at is not None:
                fresh.add_metric([health.source_id], (now - health.fresh_at).total_seconds())
        yield fresh
        quarantine = GaugeMetricFamily("mcu_quarantine", "Records that could not be read")
        quarantine.add_metric([], self._service.desk.quarantine.count())
        yield quarantine
