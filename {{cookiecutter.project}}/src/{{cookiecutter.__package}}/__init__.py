"""The service: everything here is yours, but for `runtime/`, which serves it."""
