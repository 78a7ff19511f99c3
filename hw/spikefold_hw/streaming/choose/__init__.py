"""The way to a plan: lanes, units and codings from calibration data."""
