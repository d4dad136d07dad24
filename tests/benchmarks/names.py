"""What is measured, by the names that it has in the tables."""

BARE = "bare Flask"

EMPTY, EMPTY_ELSEWHERE = "empty poll", "empty poll, all for another site"
EMPTY_PAUSED, EMPTY_BACKOFF = "empty poll, all paused", "empty poll, all in backoff"
CLAIM_ONE, CLAIM_TEN = "poll that claims 1", "poll that claims 10"
REPORT_ONE, REPORT_FIFTY = "report 1", "report 50 in one call"
UNCHANGED, PROGRESS = "tasks unchanged (304)", "progress of a comic"
QUEUE = "queueing 10,000 panels"
MEMORY = "memory of a gunicorn worker (MiB)"

ENGINE_ONE, ENGINE_TEN = "engine, one at a time", "engine, in tens"
OURS, PROCRASTINATE, PGQUEUER = "ours", "procrastinate", "PgQueuer"

BY_COMICS = (EMPTY_ELSEWHERE, CLAIM_ONE, CLAIM_TEN, REPORT_ONE, REPORT_FIFTY, UNCHANGED, PROGRESS)
BY_SIZE = (EMPTY, *BY_COMICS, QUEUE)
