"""The dataset list: its model, how rows are painted, filters, empty states and the details panel."""
