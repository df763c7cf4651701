-- How well is each repo covered: days, commits, analyses?
SELECT reads.repo,
    count(*) AS days,
    min(reads.day) AS first_day,
    max(reads.day) AS last_day,
    count(*) FILTER (reads.error IS NOT NULL) AS days_in_error,
    sum(reads.commit_count) AS commits,
    (SELECT count(*) FROM commits WHERE commits.repo = reads.repo AND on_branch AND filtered IS NOT NULL) AS filtered,
    (SELECT count(*) FROM current_analyses AS analyses WHERE analyses.repo = reads.repo AND status = 'ok') AS analysed
FROM reads
GROUP BY reads.repo
ORDER BY reads.repo;
