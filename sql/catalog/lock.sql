-- Waits until no other writer of this database's history holds the lock, and holds it to the end of the transaction.
-- The lock waits for its turn, however long: the client gives up, and neither the server's own limits.
SET LOCAL lock_timeout = 0;
SET LOCAL statement_timeout = 0;
SET LOCAL idle_in_transaction_session_timeout = 0;
-- A machine that vanishes lets it go after a minute, and not after the two hours of TCP. Not every server knows all.
SELECT set_config(name, wanted, TRUE)
FROM (
    VALUES
        ('transaction_timeout', '0'),
        ('tcp_keepalives_idle', '30'),
        ('tcp_keepalives_interval', '10'),
        ('tcp_keepalives_count', '3'),
        ('tcp_user_timeout', '60s')
) AS wanted (name, wanted)
JOIN pg_settings USING (name);
SELECT pg_advisory_xact_lock(%(key)s);
