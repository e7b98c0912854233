"""The forecaster and all it is made of, in NumPy alone: no file, no clock, no database, no global random state."""
