-- A reader's page of a day.  $reader, $day
SELECT path, language, markdown, revision FROM reader_pages WHERE reader = $reader AND day = $day AND revision IS NOT NULL;
