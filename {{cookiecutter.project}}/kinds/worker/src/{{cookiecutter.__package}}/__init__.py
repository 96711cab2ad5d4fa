"""The worker: everything here is yours, but for `runtime/`, which runs it."""
