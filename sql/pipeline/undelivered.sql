-- Which pages did not reach a channel, and were not given up long ago?  $channels, $since
SELECT channel, reader, day, attempts, error, retry_at FROM deliveries
WHERE status = 'failed' AND failed_at >= $since AND list_contains($channels::VARCHAR[], channel)
ORDER BY channel, day, reader;
