"""Every change of state, and nothing else: submit, claim, report, steer.

Each function takes a session that is in a write transaction, and plain values. It locks what it depends on in one
order (the worker, the comics by id, the sites by name, the tasks), then takes the time, records the leases that
have lapsed, and only then looks and changes. Every change of a task is guarded in its statement.
"""
