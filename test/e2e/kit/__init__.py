"""Tools of the end-to-end tests: an independent q client, an independent reader of kdb+ files,
process helpers and the model. Plain Python, nothing shared with the C sources."""
