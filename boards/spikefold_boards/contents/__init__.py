"""What block RAMs hold: read-only memories as cells of a device, and their rows in netlists."""
