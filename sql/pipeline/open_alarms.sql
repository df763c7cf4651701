-- Which alarms are open?
SELECT kind, subject, detail, raised_at FROM alarms WHERE resolved_at IS NULL ORDER BY raised_at, kind, subject;
