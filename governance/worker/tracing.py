"""Traces by OpenTelemetry, if it is installed: the trace of a request has the request's own id, as its events have.

A request's id and a trace's id are both 128 bits. So every span of a request's life, in whatever process, is in one
trace, and who looks at an event finds that trace without any other id being stored.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any
from uuid import UUID

from governance.engines.engine import DueItem

_otel: Any
try:
    from opentelemetry import trace as _otel
except ImportError:
    _otel = None

_tracer: Any = None if _otel is None else _otel.get_tracer("governance.worker")
"""Asks whatever provider the program sets up, also later."""
_FIRST_SPAN_BITS = 0xFFFF_FFFF_FFFF_FFFF


class ItemSpan:
    """The span around the work on one item; nothing where OpenTelemetry is not installed or not set up."""

    def __init__(self, item: DueItem) -> None:
        self._span: Any = None
        if _tracer is None or isinstance(_otel.get_tracer_provider(), _otel.ProxyTracerProvider):
            return
        attributes = {"governance.engine": item.engine, "governance.item": item.key}
        if item.request_id is not None:
            attributes["governance.request_id"] = item.request_id
        self._span = _tracer.start_span(f"governance {item.engine}", context=_context(item), attributes=attributes)

    def current(self) -> AbstractContextManager[Any]:
        """Return a context in which this is the current span; an error that leaves it is recorded."""
        return nullcontext() if self._span is None else _otel.use_span(self._span)

    def end(self) -> None:
        """End the span."""
        if self._span is not None:
            self._span.end()


def _context(item: DueItem) -> Any:
    """Return the context of the request's own trace, None for an item that is about no request."""
    try:
        number = UUID(item.request_id or "").int
    except ValueError:
        return None
    flags = _otel.TraceFlags(_otel.TraceFlags.SAMPLED)
    parent = _otel.SpanContext(number, number & _FIRST_SPAN_BITS or 1, is_remote=True, trace_flags=flags)
    return _otel.set_span_in_context(_otel.NonRecordingSpan(parent))
