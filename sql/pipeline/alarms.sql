-- Which alarms are open, and which are over without everybody knowing? Of those that nobody was told of, nobody has to
-- hear that they are over; of those that are too old to be told neither.  $since
SELECT * FROM alarms
WHERE resolved_at IS NULL
    OR (over_told_at IS NULL AND resolved_at >= $since AND (told_at IS NOT NULL OR claimed_at IS NOT NULL)
        AND ending IS DISTINCT FROM 'aged')
ORDER BY raised_at, kind, subject;
