-- The newest answer to a question that was paid for before.  $input_hash
SELECT analysis, endpoint, ledger, shown_lines, changed_lines
FROM answers
WHERE input_hash = $input_hash
ORDER BY answered_at DESC
LIMIT 1;
