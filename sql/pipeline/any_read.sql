-- Was any day asked for?
FROM reads SELECT repo, day LIMIT 1;
