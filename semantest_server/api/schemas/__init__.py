"""The wire contract: what comes in and what goes out, apart from the tables."""
