-- As for analyses: a label may hold a brace or a quote, and a nested value that waits in the catalog cannot be read
-- back then.
CALL history.set_option('data_inlining_row_limit', 0, table_name => 'pull_requests');
