-- Which snapshot of the history is the newest?
FROM ducklake_current_snapshot('history') SELECT *;
