-- Which files lie below this address?  $pattern
SELECT file FROM glob($pattern);
