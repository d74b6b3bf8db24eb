"""What every screen stands on: the window, the theme, icons, notices and the bridge from threads into Qt."""
