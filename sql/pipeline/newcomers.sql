-- Whose first commit to a repo stands on each of these days?  $repo, $first, $last
-- An address that GitHub gives to one account tells a person who changed their name; other addresses may be shared. Where
-- the source cannot tell who was there before the first stored day, nobody is new for so many days: most who are seen then
-- for the first time were there before.  $unsure_days
SELECT day, author_name
FROM (
    SELECT day, position, author_name, filtered, first_of_author, min(day) OVER () AS first_day,
        min(day) OVER (PARTITION BY author_name) = day
            AND (author_email NOT LIKE '%@users.noreply.github.com'
                OR min(day) OVER (PARTITION BY lower(author_email)) = day) AS is_first
    FROM commit_log
    WHERE repo = $repo AND day <= $last
)
WHERE is_first AND day >= $first AND filtered IS NULL
GROUP BY day, author_name
HAVING coalesce(bool_or(first_of_author), day - min(first_day) >= $unsure_days)
ORDER BY day, min(position), author_name;
