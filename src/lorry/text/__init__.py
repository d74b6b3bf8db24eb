"""Words for people: sentences for errors, and how numbers and dates are written. Free of Qt."""
