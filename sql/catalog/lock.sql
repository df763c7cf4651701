-- Waits until no other writer of this database's history holds the lock, and holds it to the end of the transaction.
-- The lock waits for its turn, however long: the client gives up, and neither the server's own limits.
SET LOCAL lock_timeout = 0;
SET LOCAL statement_timeout = 0;
SET LOCAL idle_in_transaction_session_timeout = 0;
SELECT pg_advisory_xact_lock(%(key)s);
