"""Everything Lorry does that is not a window or a command line; never imports Qt."""
