"""What an operator does now and then: prune, back up, check, move to another database."""
