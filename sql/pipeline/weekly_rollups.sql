-- The rollups of all weeks in one language: which text, without it.  $language
SELECT first_day, period, revision FROM rollups WHERE kind = 'weekly' AND language = $language ORDER BY first_day;
