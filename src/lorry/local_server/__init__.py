"""A Supabase-shaped server on loopback: real PostgreSQL, the project's own migrations, a small gateway.

Owns the local workspace: its database, its stored objects, its sign-ins. Runs in a process of its own. The client
knows it only as one more base URL; of the core it uses `checks` and the words modules alone.
"""
