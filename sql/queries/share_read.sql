-- How much of the changes did the models read?
-- $first day = 30d: the first day
-- $last day = newest: the last day
-- $repo pattern = %: only repositories like this
-- In lines, of commits that a model explained; share is 1 where it read everything. in_part counts commits it read in part.
SELECT day, repo, count(*) AS commits,
    count(*) FILTER (shown_lines < changed_lines) AS in_part,
    sum(least(shown_lines, changed_lines)) AS shown_lines, sum(changed_lines) AS changed_lines,
    round(sum(least(shown_lines, changed_lines)) / nullif(sum(changed_lines), 0), 3) AS share
FROM current_analyses
WHERE status = 'ok' AND analyst <> 'offline' AND day BETWEEN $first::DATE AND $last::DATE AND repo LIKE $repo
GROUP BY day, repo
ORDER BY day, repo;
