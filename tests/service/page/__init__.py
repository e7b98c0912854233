"""A package in pytest's sense: its fixtures, Chromium above all, end with the last test of this folder."""
