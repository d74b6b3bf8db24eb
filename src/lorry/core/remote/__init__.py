"""Every byte on the wire: the only place that talks HTTP. Raises LorryError, nothing foreign."""
