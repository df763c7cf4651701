-- Who holds the lock of the writers, and where does that run?
SELECT application_name, client_addr, pid
FROM pg_stat_activity JOIN pg_locks USING (pid)
WHERE locktype = 'advisory' AND granted
  AND ((classid::BIGINT << 32) | objid::BIGINT) = %(key)s AND objsubid = 1
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database());
