-- What is known of a repo's days in a range?  $repo, $first, $last
SELECT * FROM reads WHERE repo = $repo AND day BETWEEN $first AND $last ORDER BY day;
