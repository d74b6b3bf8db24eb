"""The upload dialog: choose a file, name it, see it travel, read the verdict."""
