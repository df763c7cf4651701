-- The rows of many commits, made inside of DuckDB: a statement a table over the commits of the variables first_day and
-- last_day. Every value comes from a hash of the repository and the commit's number, so that it is the same every time.
CREATE OR REPLACE TEMP MACRO drawn(seed, what, below) AS (hash(seed, what) % below)::INTEGER;
CREATE OR REPLACE TEMP MACRO word(seed, what, place) AS getvariable('words')[1 + (hash(seed, what, place) % getvariable('words_count'))::INTEGER];
CREATE OR REPLACE TEMP MACRO sentence(seed, what, place, words) AS
    array_to_string(list_transform(range(words), lambda nth: word(seed, what, 100 * place + nth)), ' ');
CREATE OR REPLACE TEMP MACRO saying(seed, what, place) AS getvariable('said')[1 + (hash(seed, what, place) % getvariable('said_count'))::INTEGER];
CREATE OR REPLACE TEMP MACRO sha_of(repo, number) AS sha1(repo || number);
CREATE OR REPLACE TEMP MACRO title_of(repo, number) AS
    getvariable('kinds')[1 + drawn(hash(repo, number), 'kind', getvariable('kinds_count'))] || ': '
    || sentence(hash(repo, number), 'title', 0, 5) || ' (#' || number || ')';

CREATE TEMP TABLE IF NOT EXISTS paths AS
SELECT repo_number, place, 'lib/' || word(repo_number, 'top', place) || '/src/' || word(repo_number, 'folder', place)
    || '/' || word(repo_number, 'name', place) || '.rs' AS path
FROM range(getvariable('repos')) AS repos (repo_number), range(4000) AS places (place);

CREATE OR REPLACE TEMP TABLE made AS
SELECT *, sha_of(repo, number) AS sha,
    -- Few write much, and now and then somebody comes.
    'Person ' || floor((80 + number / 100) * power(drawn(seed, 'author', 10000) / 10000, 3))::INTEGER AS person,
    day + INTERVAL 23 HOUR - INTERVAL 40 MINUTE * position AS moment,
    drawn(seed, 'fate', 1000) AS fate,
    drawn(seed, 'score', 17) AS score,
    CASE WHEN score > 8 THEN 'high' WHEN score > 2 THEN 'medium' ELSE 'low' END AS tier,
    drawn(seed, 'is ok', 100) < 98 AS is_ok,
    1 + drawn(seed, 'files', 11) AS files,
    1 + drawn(seed, 'lines', 8) AS lines
FROM (
    SELECT *, 'team' || repo_number % 7 || '/repo' || repo_number AS repo, hash('team' || repo_number % 7 || '/repo' || repo_number, number) AS seed
    FROM (
        SELECT repo_number, day::DATE AS day, position::INTEGER AS position,
            ((day::DATE - getvariable('oldest_day') + 1) * getvariable('a_day') - position)::INTEGER AS number
        FROM range(getvariable('repos')) AS repos (repo_number),
            generate_series(getvariable('first_day'), getvariable('last_day'), INTERVAL 1 DAY) AS days (day),
            range(getvariable('a_day')) AS positions (position)
    )
)
ORDER BY repo, day, position;

-- Sentences are made one a row: inside of a list of lists each would take its own copy of all words.
CREATE OR REPLACE TEMP TABLE bodies AS
SELECT seed, string_agg(sentence(seed, 'line', line, 12), E'\n' ORDER BY line) AS body
FROM made, range(8) AS numbers (line) WHERE line < lines GROUP BY seed;

INSERT INTO commit_log BY NAME
SELECT repo, day, position, sha, [sha_of(repo, number - 1)] AS parents,
    person AS author_name, lower(replace(person, ' ', '.')) || '@example.org' AS author_email, moment AS authored_at,
    'GitHub' AS committer_name, 'noreply@example.org' AS committer_email, moment AS committed_at,
    CASE WHEN fate < 10 AND number > 200
        THEN 'Revert "' || title_of(repo, number - 1 - drawn(seed, 'back', 199)) || '" (#' || number || E')\n\nThis reverts commit '
            || sha_of(repo, number - 1 - drawn(seed, 'back', 199)) || '.'
        ELSE title_of(repo, number) || E'\n\n' || body
            || CASE WHEN fate BETWEEN 10 AND 19 THEN E'\n\nBREAKING CHANGE: the old name is gone' ELSE '' END
            || E'\n\nSigned-off-by: ' || person
    END AS message,
    number AS pull_request,
    -- What was pushed away, what the settings leave out, what is told in a line.
    fate <> 20 AS on_branch,
    CASE WHEN fate BETWEEN 21 AND 40 THEN 'paths' END AS filtered,
    CASE WHEN fate BETWEEN 41 AND 60 THEN 'bot' END AS folded
FROM made JOIN bodies USING (seed) ORDER BY repo, day, position;

CREATE OR REPLACE TEMP TABLE made_files AS
SELECT repo, day, sha, committed_at_position, position, path, fate, changed
FROM (
    SELECT repo, repo_number, day, sha, made.position AS committed_at_position, file::INTEGER AS position, fate,
        -- A few files of a repository change often, most seldom.
        floor(4000 * power((hash(seed, 'path', file) % 10000) / 10000, 2))::INTEGER AS place,
        1 + (hash(seed, 'changed', file) % 40)::INTEGER AS changed
    FROM made, range(11) AS numbers (file)
    WHERE file < files
) JOIN paths USING (repo_number, place);

INSERT INTO commit_files BY NAME
SELECT repo, day, sha, position, path, 'modified' AS status, changed AS additions, changed // 2 AS deletions,
    CASE WHEN fate <> 61 THEN E'@@ -1,3 +1,4 @@\n' || repeat(E'+let some_name = call_of(another, name)?;\n', least(changed, 5)) END AS patch,
    CASE WHEN fate = 61 THEN 'missing' ELSE 'text' END AS patch_state
FROM made_files ORDER BY repo, day, committed_at_position, position;

CREATE OR REPLACE TEMP TABLE made_sizes AS
SELECT repo, day, sha, committed_at_position, sum(changed)::INTEGER AS additions, sum(changed // 2)::INTEGER AS deletions,
    count(*)::INTEGER AS files, (count(*) FILTER (fate = 61))::INTEGER AS unread_files, true AS complete
FROM made_files GROUP BY repo, day, sha, committed_at_position ORDER BY repo, day, committed_at_position;

INSERT INTO commit_sizes BY NAME
SELECT * EXCLUDE (committed_at_position) FROM made_sizes ORDER BY repo, day, committed_at_position;

CREATE OR REPLACE TEMP TABLE answers_made AS
SELECT seed,
    coalesce(list(point) FILTER (part = 'summary'), []) AS summary,
    coalesce(list(point) FILTER (part = 'scope'), []) AS scope,
    coalesce(list(point) FILTER (part = 'architecture'), []) AS architecture,
    coalesce(list(point) FILTER (part = 'performance'), []) AS performance,
    coalesce(list(point) FILTER (part = 'risks'), []) AS risks,
    coalesce(list(point) FILTER (part = 'advice'), []) AS advice
FROM (
    SELECT seed, part, saying(seed, part, nth) || ' ' || sentence(seed, part, nth, 5) || ' ' || saying(seed, part, 100 + nth) AS point
    FROM made, (VALUES ('summary', 3, 2, 1), ('scope', 2, 2, 0), ('architecture', 1, 0, 0), ('performance', 1, 0, 0),
            ('risks', 2, 0, 0), ('advice', 2, 1, 0)) AS parts (part, high, medium, low), range(3) AS numbers (nth)
    WHERE nth < CASE tier WHEN 'high' THEN high WHEN 'medium' THEN medium ELSE low END
)
GROUP BY seed;

INSERT INTO analyses BY NAME
SELECT made.repo, made.day, made.sha, 'zh' AS language, 'openai' AS analyst, tier, score, 'models.example.org' AS endpoint,
    CASE WHEN drawn(seed, 'model', 2) = 0 THEN 'large' ELSE 'small' END AS model, 'argus' AS profile,
    [{'rule': 'size', 'points': 3, 'evidence': (additions + deletions)::VARCHAR}, {'rule': 'type feat', 'points': 8, 'evidence': ''}] AS reasons,
    CASE WHEN is_ok THEN 'ok' ELSE 'failed' END AS status,
    CASE WHEN NOT is_ok THEN 'bad_output' END AS error_class, CASE WHEN NOT is_ok THEN 'it holds no JSON object' END AS error,
    1 AS attempts,
    CASE WHEN is_ok THEN json_object('change_type', '改动', 'summary', summary, 'scope', scope, 'architecture', architecture,
        'performance', performance, 'risks', risks, 'advice', advice) END AS analysis,
    '1' AS prompt_version, made.sha AS input_hash, 4000 AS tokens_in, 600 AS tokens_out, 0 AS tokens_cached,
    additions + deletions - (additions + deletions) // 10 AS shown_lines, additions + deletions AS changed_lines,
    moment + INTERVAL 1 DAY AS analysed_at
FROM made JOIN answers_made USING (seed)
    JOIN made_sizes AS size ON size.repo = made.repo AND size.day = made.day AND size.sha = made.sha
ORDER BY made.repo, made.day, made.position;

INSERT INTO attempts BY NAME
SELECT repo, day, sha, 'zh' AS language, 1 + try AS attempt, 'models.example.org' AS endpoint,
    CASE WHEN drawn(seed, 'model', 2) = 0 THEN 'large' ELSE 'small' END AS model, moment + INTERVAL 1 DAY AS started_at,
    1 + drawn(seed, 'seconds', 2900) / 100 AS seconds, 'analysis' AS purpose,
    CASE WHEN is_ok AND try = tries - 1 THEN 'ok' ELSE 'failed' END AS outcome,
    CASE WHEN NOT (is_ok AND try = tries - 1) THEN ['bad_output', 'transient', 'rate_limited'][1 + drawn(seed, 'class', 3)] END AS error_class,
    4000 AS tokens_in, 600 AS tokens_out, 0 AS tokens_cached, 0.002 AS cost
FROM (SELECT *, CASE WHEN drawn(seed, 'again', 10) = 0 THEN 2 ELSE 1 END AS tries FROM made), range(2) AS numbers (try)
WHERE try < tries
ORDER BY repo, day, position, try;

INSERT INTO reads BY NAME
SELECT repo, day, 'git' AS source, 'main' AS branch, sha1(repo || day) AS head_sha, day::TIMESTAMPTZ AS window_start,
    day + INTERVAL 1 DAY AS window_end, 'UTC' AS timezone, count(*)::INTEGER AS commit_count, day + INTERVAL 26 HOUR AS read_at
FROM made GROUP BY repo, day ORDER BY repo, day;

INSERT INTO reports BY NAME
SELECT repo, day, 'zh' AS language, 'reports/' || repo || '/' || day || '.md' AS path, sha1(repo || day) AS revision,
    '# ' || repo || ' ' || day || E'\n\n' || repeat(E'| a row of the page | with words |\n', 600) AS markdown,
    count(*)::INTEGER AS commits, (count(*) FILTER (score > 8))::INTEGER AS high,
    (count(*) FILTER (score BETWEEN 3 AND 8))::INTEGER AS medium, (count(*) FILTER (score < 3))::INTEGER AS low,
    (count(*) FILTER (is_ok))::INTEGER AS analysed, (count(*) FILTER (NOT is_ok))::INTEGER AS failed, 0 AS deferred,
    day + INTERVAL 26 HOUR AS rendered_at
FROM made GROUP BY repo, day ORDER BY repo, day;

INSERT INTO digests BY NAME
SELECT day, 'zh' AS language, 'reports/daily/' || day || '.md' AS path, sha1('' || day) AS revision, sha1('of ' || day) AS inputs,
    '# ' || day || E'\n\n' || repeat(E'| a row of the page | with words |\n', 1800) AS markdown,
    count(DISTINCT repo)::INTEGER AS repos, []::VARCHAR[] AS missing_repos, day + INTERVAL 26 HOUR AS rendered_at
FROM made GROUP BY day ORDER BY day;
