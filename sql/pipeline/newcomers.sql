-- Whose first commit to a repo stands on each of these days?  $repo, $first, $last
-- Where the source told which commit is its author's first, that counts, also where a filter left that commit out. Where it
-- did not, the first stored one counts: by name, and by an address that GitHub gives to one account. And as most who are seen
-- for the first time in the first days were there before, nobody is new for so many stored days then.  $unsure_days
SELECT day, author_name, bool_or(is_known IS NOT NULL) AS is_sure
FROM (
    SELECT day, position, author_name, filtered, days_before,
        bool_or(first_of_author) FILTER (coalesce(on_branch, true)) OVER (PARTITION BY author_name, day) AS is_known,
        min(day) OVER (PARTITION BY author_name) = day
            AND (author_email NOT LIKE '%@users.noreply.github.com'
                OR min(day) OVER (PARTITION BY lower(author_email)) = day) AS is_first
    FROM commit_log JOIN (
        SELECT day, row_number() OVER (ORDER BY day) - 1 AS days_before FROM reads WHERE repo = $repo AND head_sha IS NOT NULL
    ) AS stored USING (day)
    WHERE repo = $repo AND day <= $last
)
WHERE day >= $first AND filtered IS NULL AND coalesce(is_known, is_first AND days_before >= $unsure_days)
GROUP BY day, author_name
ORDER BY day, min(position), author_name;
