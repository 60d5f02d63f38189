"""Random commands on live pages: every success holds in the page, nothing leaks, nothing dies."""
