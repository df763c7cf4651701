-- How many calls were made for the headline of each of a repo's days, and how many of them were answered?
-- $repo, $first, $last, $language
SELECT day, max(attempt) AS calls,
    count(*) FILTER (outcome = 'ok' OR error_class IN ('bad_output', 'cut_off', 'refused')) AS answers
FROM attempts
WHERE repo = $repo AND day BETWEEN $first AND $last AND language = $language AND purpose = 'headline'
GROUP BY day
ORDER BY day;
