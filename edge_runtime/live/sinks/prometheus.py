"""What is seen, as metrics that Prometheus fetches."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ...errors import EdgeclfError
from ..observation import Decision, Event, Observation, SourceHealth, SourceState
from ..serving.wsgi import BoundedServer
from .queued import QueuedSink

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_SECONDS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 2, 5)

# A version in an Accept header that prometheus_client would fail to compare, with a traceback.
_NO_VERSION = re.compile(r"version=(?!\d{1,9}(\.\d{1,9}){0,3}\s*(?:[;,]|$))", re.ASCII)

_SOURCE_COUNTS = {
    "received": "Whole frames that came.",
    "replaced": "Frames that a newer one pushed out before they were classified.",
    "damaged": "Frames that were cut or could not be decoded.",
    "frozen": "Frames that were the same picture for too long.",
    "timeouts": "Reads and connections that exceeded their deadline.",
    "disconnects": "Connections that were lost.",
    "connects": "Connections that were made.",
}


def require_prometheus_client() -> None:
    """Complain of a missing prometheus-client, with the line that installs it."""
    try:
        import prometheus_client  # noqa: F401
    except ModuleNotFoundError:
        raise EdgeclfError(
            "--prometheus needs prometheus-client: pip install 'edgeclf[prometheus]'"
        ) from None


class Prometheus:
    """A `Sink` that serves metrics at http://HOST:PORT/metrics.

    It only counts where frames pass; the text is made on the thread of whoever fetches it. While
    the camera is not live there is no label and no score: the last ones would be a lie.
    """

    def __init__(
        self, host: str, port: int, *, labels: Sequence[str], queued: Sequence[QueuedSink[Any]]
    ) -> None:
        """Listen on `host` and `port` (0 for a free one); tell what the sinks `queued` drop, too.

        Raises:
            EdgeclfError: prometheus-client is not installed, or the address is taken.
        """
        require_prometheus_client()
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, make_wsgi_app

        self._labels, self._queued = tuple(labels), tuple(queued)
        self._decision: Decision | None = None
        self._health: SourceHealth | None = None
        registry = CollectorRegistry()
        self._frames = Counter("edgeclf_frames_classified", "Classified frames.", registry=registry)
        self._last_frame = Gauge(
            "edgeclf_last_frame_timestamp_seconds",
            "When the newest classified frame was taken.",
            registry=registry,
        )
        self._events = Counter(
            "edgeclf_events", "Changes of the steady label.", ["label"], registry=registry
        )
        self._age = Histogram(
            "edgeclf_frame_age_seconds",
            "From a frame's arrival to its decision.",
            buckets=_SECONDS,
            registry=registry,
        )
        self._steps = Histogram(
            "edgeclf_step_seconds",
            "What each step of a classification takes.",
            ["step"],
            buckets=_SECONDS,
            registry=registry,
        )
        registry.register(self)
        try:
            self._server = BoundedServer(host, port, _with_checked_accept(make_wsgi_app(registry)))
        except OSError as error:
            raise EdgeclfError(
                f"--prometheus {host}:{port}: cannot listen there ({error.strerror}); "
                "give another HOST:PORT"
            ) from None
        self.port: int = self._server.server_port
        self.name = f"--prometheus {host}:{self.port}"

    def observe(self, observation: Observation) -> None:
        """Count a frame."""
        self._decision = observation.decision
        self._frames.inc()
        self._last_frame.set(observation.frame.taken_at)
        self._age.observe(observation.age_ms / 1000)
        for step, ms in observation.steps_ms.items():
            self._steps.labels(step).observe(ms / 1000)

    def report_event(self, event: Event, observation: Observation) -> None:  # noqa: ARG002
        """Count an event."""
        self._events.labels(event.label).inc()

    def report_health(self, health: SourceHealth) -> None:
        """Keep the camera's state."""
        self._health = health

    def close(self) -> None:
        """Listen no longer."""
        self._server.close()

    def collect(self) -> Iterator[Any]:
        """Yield what is made of the newest frame and state, as prometheus_client asks for it."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        health, decision = self._health, self._decision
        if health is not None:
            state = GaugeMetricFamily(
                "edgeclf_source_state", "1 for the state that the camera is in.", labels=["state"]
            )
            for each in SourceState:
                state.add_metric([each.value], float(each is health.state))
            yield state
            yield GaugeMetricFamily("edgeclf_source_fps", "Frames a second.", value=health.fps)
            for name, count in asdict(health.counts).items():
                help_text = _SOURCE_COUNTS.get(name, f"Counted as {name}.")
                yield CounterMetricFamily(f"edgeclf_source_{name}", help_text, value=count)
        if decision is not None and health is not None and health.state is SourceState.LIVE:
            scores = GaugeMetricFamily(
                "edgeclf_class_score", "The smoothed score of each class.", labels=["label"]
            )
            labels = decision.labels or self._labels
            for label, score in zip(labels, decision.scores, strict=True):
                scores.add_metric([label], score)
            yield scores
            if decision.novelty is not None:
                yield GaugeMetricFamily(
                    "edgeclf_novelty",
                    "How unlike the training the scene is, smoothed, 0 to 1.",
                    value=decision.novelty,
                )
            steady = GaugeMetricFamily("edgeclf_label", "1 for what is believed.", labels=["label"])
            steady.add_metric([decision.label], 1)
            yield steady
        dropped = CounterMetricFamily(
            "edgeclf_sink_dropped", "What a slow sink had no time for.", labels=["sink"]
        )
        lost = CounterMetricFamily(
            "edgeclf_sink_lost", "What a sink could not write.", labels=["sink"]
        )
        for sink in self._queued:
            dropped.add_metric([sink.name], sink.dropped)
            lost.add_metric([sink.name], sink.lost)
        yield dropped
        yield lost


def _with_checked_accept(app: "WSGIApplication") -> "WSGIApplication":
    """Return `app`, which gets an Accept header only if it can be understood."""

    def checked(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if _NO_VERSION.search(environ.get("HTTP_ACCEPT", "")):
            del environ["HTTP_ACCEPT"]
        return app(environ, start_response)

    return checked
