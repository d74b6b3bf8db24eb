"""What Lorry remembers on this computer: the upload journal and settings, in SQLite. No network."""
