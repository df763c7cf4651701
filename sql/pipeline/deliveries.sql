-- What do channels have of the pages of a range of days?  $first, $last
SELECT * FROM deliveries WHERE day BETWEEN $first AND $last ORDER BY channel, reader, day;
