-- words_in for a short text that is in small letters already, such as a path: for one of 50 letters, to begin with a pattern
-- takes longer than to look.
CREATE OR REPLACE MACRO words_in_lower(text, words) AS
    CASE WHEN contains(text, lower(words[1])) THEN 1 ELSE 0 END
    + CASE WHEN contains(text, lower(words[2])) THEN 2 ELSE 0 END
    + CASE WHEN contains(text, lower(words[3])) THEN 4 ELSE 0 END
    + CASE WHEN contains(text, lower(words[4])) THEN 8 ELSE 0 END
    + CASE WHEN contains(text, lower(words[5])) THEN 16 ELSE 0 END
    + CASE WHEN contains(text, lower(words[6])) THEN 32 ELSE 0 END;
