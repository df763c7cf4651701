-- Where did the branch of a repo stand when a day was read, last before this moment, else first after it?  $repo, $before
SELECT branch, head_sha
FROM reads
WHERE repo = $repo AND head_sha IS NOT NULL
ORDER BY read_at <= $before::TIMESTAMPTZ DESC, abs(epoch(read_at) - epoch($before::TIMESTAMPTZ)), day
LIMIT 1;
