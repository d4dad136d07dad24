"""From a text, a CSV file or JSON to a comic: reading, checking, and the uploads that a person looks through."""
