"""The desktop front end: widgets, models, painting. Knows the core through `Client` and its words."""
