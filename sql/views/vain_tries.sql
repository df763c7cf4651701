-- At which endpoints each commit was asked about in vain, how often, and when last; not what an endpoint would not take, and neither parts nor headlines.
CREATE OR REPLACE VIEW vain_tries AS
SELECT repo, day, sha, language, endpoint, model, count(*) AS tries, max(started_at) AS last_at
FROM attempts
WHERE outcome = 'failed' AND purpose NOT IN ('part', 'headline') AND error_class NOT IN ('outage', 'rate_limited', 'budget')
GROUP BY repo, day, sha, language, endpoint, model;
