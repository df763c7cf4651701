-- What does a channel have of a reader's last day before one?  $channel, $reader, $day
SELECT remote FROM deliveries
WHERE channel = $channel AND reader = $reader AND day < $day AND remote IS NOT NULL
ORDER BY day DESC LIMIT 1;
