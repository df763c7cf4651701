-- Which of a repo's days were found changed after their page was rendered?  $repo, $first, $last, $language
SELECT reads.day
FROM reads JOIN (FROM reports WHERE language = $language) AS page USING (repo, day)
WHERE reads.repo = $repo AND reads.day BETWEEN $first AND $last AND reads.changed_at > page.rendered_at
ORDER BY reads.day;
