"""The command: everything here is yours, but for `runtime/`, which knows its release."""
