"""What several test folders share: servers to test against and ways to act on them."""
