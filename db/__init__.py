"""The database: tables, engines, and every read and write as a named function. No model code, no clock."""
