-- Whether a commit is the first of its author in all of the repository's history, also of what lies before the first day; null
-- where the source cannot tell, and where the day was read before this was asked.
ALTER TABLE commit_log ADD COLUMN first_of_author BOOLEAN;
