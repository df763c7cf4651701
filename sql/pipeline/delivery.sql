-- What does a channel have of a reader's day?  $channel, $reader, $day
SELECT * FROM deliveries WHERE channel = $channel AND reader = $reader AND day = $day;
