-- The readers' pages of a range of days, without their text.  $first, $last
SELECT * EXCLUDE (markdown) FROM reader_pages WHERE day BETWEEN $first AND $last ORDER BY day, reader;
