-- Which lines of the patches hint at a break, at security, at tests, or at names that are gone?  $repo, $first, $last
-- For the analyst without a model. At most 12 lines a file and category; generated files and locks are left out.
WITH patches AS (
    SELECT sha, position, path, status, patch
    FROM commit_files
    WHERE repo = $repo
      AND day BETWEEN $first AND $last
      AND patch_state = 'text'
      AND NOT regexp_matches(path, '(\.lock|\.sum|-lock\.(json|yaml)|\.min\.(js|css)|\.snap|\.svg|\.map|\.ipynb)$|(^|/)(vendor|third_party|node_modules)/')
),
code AS (
    -- Tests and prose define and mention names too, but nobody depends on them.
    FROM patches
    WHERE regexp_matches(path, '\.(py|pyi|rs|go|ts|tsx|js|java|kt|swift|c|cc|cpp|h|hpp)$')
      AND NOT regexp_matches(path, '(^|/)(tests?|testing|examples?|bench(?:es|marks?)?|cmd|internal|scripts?|tools?|hack|ci|\.github)/|(^|/)test_[^/]*$|_test\.[a-z]+$|(^|/)(conftest|__main__)\.py$|(^|/|_)(zz_)?generated[._][^/]*$|\.pb\.go$|_pb2(_grpc)?\.pyi?$')
),
breaking AS (
    SELECT sha, position, path, 'breaking' AS category,
        regexp_extract_all(patch, '(?i)\n(\+[^\n]*(?:\bbreaking[ -]change|\bdeprecat|\bno longer supported|backwards?[ -]incompatib)[^\n]*)', 1)[:12] AS lines
    FROM patches
    -- Prose and tests mention breaking changes without making them.
    WHERE NOT regexp_matches(path, '(?i)\.(md|mdx|rst|txt|adoc|j2|toml|json|ya?ml|xml)$|(^|/)(docs?|tests?|testing|bench(es|marks?)?|examples?)/|(^|/)test_[^/]*$|_test\.[a-z]+$')
      AND regexp_matches(patch, '(?i)breaking[ -]change|deprecat|no longer supported|incompatib')
),
security AS (
    SELECT sha, position, path, 'security' AS category,
        regexp_extract_all(patch, '(?i)\n(\+[^\n]*(?:\bCVE-\d|\bGHSA-|vulnerabilit|verify ?= ?False|shell ?= ?True|InsecureSkipVerify|\bpickle\.loads?\(|\byaml\.load\(|trust_remote_code ?= ?True|privileged: ?true|\bunsafe (?:fn |impl ))[^\n]*)', 1)[:12] AS lines
    FROM patches
    -- Prose speaks of security without changing it.
    WHERE NOT regexp_matches(path, '(?i)\.(md|mdx|rst|txt|adoc)$|(^|/)(tests?|testing|bench(es|marks?)?|examples?)/|(^|/)test_[^/]*$|_test\.[a-z]+$')
      AND regexp_matches(patch, '(?i)CVE-\d|GHSA-|vulnerabilit|verify ?= ?False|shell ?= ?True|InsecureSkipVerify|pickle\.load|yaml\.load\(|trust_remote_code ?= ?True|privileged: ?true|unsafe (fn |impl )')
),
tests AS (
    -- Tests that stand in a file of code, as Rust has them.
    SELECT sha, position, path, 'test' AS category,
        regexp_extract_all(patch, '\n(\+\s*(?:#\[(?:\w+::)*(?:test|rstest|test_case|cfg\(test\))[^\n]*|(?:async )?def test_\w*|func Test[A-Z]\w*|(?:it|test|describe)\([^\n]*))', 1)[:1] AS lines
    FROM patches
    WHERE regexp_matches(patch, '\n\+\s*(#\[(\w+::)*(test|rstest|test_case|cfg\(test\))|(async )?def test_|func Test[A-Z]|(it|test|describe)\()')
),
definitions AS (
    SELECT sha, position, path,
        list_concat(
            regexp_extract_all(patch, '\n-(?:export (?:default )?(?:async )?(?:function|class|const|interface|type|enum)|pub (?:async |unsafe |const )*(?:fn|struct|enum|trait|type)|(?:async )?def|class) ([A-Za-z][A-Za-z0-9_]*)', 1),
            -- What Go exports begins with a capital.
            regexp_extract_all(patch, '\n-func(?: \([^)\n]*\))? ([A-Z][A-Za-z0-9_]*)', 1)
        ) AS removed,
        regexp_extract_all(patch, '\n[+ ]\s*(?:export (?:default )?(?:async )?(?:function|class|const|interface|type|enum)|pub(?:\([a-z]+\))? (?:async |unsafe |const )*(?:fn|struct|enum|trait|type)|(?:async )?def|class|func(?: \([^)\n]*\))?) ([A-Za-z][A-Za-z0-9_]*)', 1) AS kept
    FROM code
    -- Of a file that is gone as a whole, the list of files tells.
    WHERE status <> 'removed' AND regexp_matches(patch, '\n-(export |pub |async def|def |class |func )')
),
kept_anywhere AS (
    -- A definition that moved to another file of the same commit is not gone.
    SELECT sha, list_distinct(flatten(list(kept))) AS names FROM (
        SELECT sha, kept FROM definitions
        UNION ALL
        SELECT sha, regexp_extract_all(patch, '\n\+\s*(?:export (?:default )?(?:async )?(?:function|class|const|interface|type|enum)|pub(?:\([a-z]+\))? (?:async |unsafe |const )*(?:fn|struct|enum|trait|type)|(?:async )?def|class|func(?: \([^)\n]*\))?) ([A-Za-z][A-Za-z0-9_]*)', 1)
        FROM code WHERE sha IN (SELECT sha FROM definitions WHERE len(removed) > 0)
    ) GROUP BY sha
),
removed AS (
    SELECT definitions.sha, position, path, 'removed' AS category,
        list_filter(removed, lambda name, place: list_position(removed, name) = place  -- once, in the patch's order
            AND NOT list_contains(kept_anywhere.names, name))[:12] AS lines
    FROM definitions JOIN kept_anywhere USING (sha)
    WHERE len(removed) > 0
)
SELECT sha, category, path, left(trim(line), 200) AS line
FROM (
    SELECT sha, position, path, category, unnest(lines) AS line, unnest(range(len(lines))) AS number
    FROM (FROM breaking UNION ALL FROM security UNION ALL FROM tests UNION ALL FROM removed)
)
-- What silences or speaks of a deprecation deprecates nothing.
WHERE NOT (category = 'breaking' AND regexp_matches(line,
    '(?i)\bSA1019\b|\ballow ?\(deprecated|\bALLOW:|filterwarnings|simplefilter|catch_warnings'
    || '|\b(?:ignore|ignoring|suppress\w*|silenc\w*|tolerat\w*)\b.{0,80}deprecat|deprecat\w*.{0,60}\b(?:suppress|silenc|polic)'
    || '|\bthird[ -]party.{0,40}deprecat|\bdeprecat\w* warnings?\b'
))
ORDER BY sha, category, position, number;
