"""Many hosts at once: what Ansible is told, and what it tells back."""
