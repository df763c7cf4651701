-- Which of up to six words a text holds, bit by bit: in any case, and also inside of longer words. before and after are
-- patterns of what has to stand around a word. All of them are constants where words is one, and so compiled once.
CREATE OR REPLACE MACRO words_in(text, words, before, after) AS
    coalesce(regexp_matches(text, before || word_pattern(words[1]) || after)::INTEGER, 0)
    + coalesce(regexp_matches(text, before || word_pattern(words[2]) || after)::INTEGER * 2, 0)
    + coalesce(regexp_matches(text, before || word_pattern(words[3]) || after)::INTEGER * 4, 0)
    + coalesce(regexp_matches(text, before || word_pattern(words[4]) || after)::INTEGER * 8, 0)
    + coalesce(regexp_matches(text, before || word_pattern(words[5]) || after)::INTEGER * 16, 0)
    + coalesce(regexp_matches(text, before || word_pattern(words[6]) || after)::INTEGER * 32, 0);
