"""What people meet: settings, the daemon, the read API and the command line."""
