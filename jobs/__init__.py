"""The loop: fetch, score, refit and forecast as plain functions, and what decides when they run."""
