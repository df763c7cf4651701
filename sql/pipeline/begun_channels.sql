-- With which day did each channel begin, for each reader?  $within
-- A channel begins with yesterday: a day that was first tried later was brought by hand, or after a break.
SELECT channel, reader, min(day) AS day
FROM deliveries
WHERE coalesce(first_at, delivered_at, failed_at, claimed_at) < day + to_days($within::INTEGER)
GROUP BY channel, reader
ORDER BY channel, reader;
