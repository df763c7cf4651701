-- Whose first stored commit to a repo stands on each of these days?  $repo, $first, $last
-- An address that GitHub gives to one account tells a person who changed their name; other addresses may be shared.
SELECT day, author_name
FROM (
    SELECT day, position, author_name, filtered,
        min(day) OVER (PARTITION BY author_name) = day
            AND (author_email NOT LIKE '%@users.noreply.github.com'
                OR min(day) OVER (PARTITION BY lower(author_email)) = day) AS is_first
    FROM commit_log
    WHERE repo = $repo AND day <= $last
)
WHERE is_first AND day >= $first AND filtered IS NULL
GROUP BY day, author_name
ORDER BY day, min(position), author_name;
