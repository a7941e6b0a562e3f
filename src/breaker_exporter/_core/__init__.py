"""The engine: admit, run, settle, account. It knows no signal, no OpenTelemetry and no gevent."""
