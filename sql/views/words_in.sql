-- Which of up to six words a text holds, bit by bit: in any case, and also inside of longer words. before and after are
-- patterns of what has to stand around a word. All of them are constants where words is one, and so compiled once.
CREATE OR REPLACE MACRO words_in(text, words, before, after) AS
    CASE WHEN regexp_matches(text, before || word_pattern(words[1]) || after) THEN 1 ELSE 0 END
    + CASE WHEN regexp_matches(text, before || word_pattern(words[2]) || after) THEN 2 ELSE 0 END
    + CASE WHEN regexp_matches(text, before || word_pattern(words[3]) || after) THEN 4 ELSE 0 END
    + CASE WHEN regexp_matches(text, before || word_pattern(words[4]) || after) THEN 8 ELSE 0 END
    + CASE WHEN regexp_matches(text, before || word_pattern(words[5]) || after) THEN 16 ELSE 0 END
    + CASE WHEN regexp_matches(text, before || word_pattern(words[6]) || after) THEN 32 ELSE 0 END;
