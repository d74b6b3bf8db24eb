"""The command line: a second front end on the same core, for scripts and machines without a screen."""
